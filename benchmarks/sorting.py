"""How well and how fast `facenet cluster` sorts photographs, on Labelled Faces in the Wild.

    python -m benchmarks.sorting LFW/images

The photographs are the first 2,000, in the order of their names, of people with several photographs: 391 people. They
are put into one folder. The command runs between two embeddings of the same photographs by the same requests, in one
service. So its time is compared with that of the embedding alone. On a machine that others use too, the time of the
processor says more: that of the service and of the client together.

A photograph is of one person, and may show others in the background. So the main face of each counts (the rule of
/verify). A face that belongs to nobody with a folder counts as a person of its own.
"""

import argparse
import csv
import resource
import subprocess
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Self

import httpx
from prometheus_client.parser import text_string_to_metric_families
from sklearn.metrics.cluster import pair_confusion_matrix

from service.commands.options import connect
from service.commands.photographs.face_finding import FaceFinder
from tests.support.running_service import facenet_command, run_service

ROOT = Path(__file__).parent.parent
PHOTOGRAPHS = 2_000
SIDE_PX = 250
"""Of a photograph of LFW."""


def main() -> None:
    """Measure, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path, help="a folder with PERSON/FILE")
    parser.add_argument("--photographs", type=int, default=PHOTOGRAPHS)
    arguments = parser.parse_args()
    people = [sorted(person.iterdir()) for person in sorted(arguments.images.iterdir())]
    files = [file for photographs in people if len(photographs) > 1 for file in photographs][: arguments.photographs]
    with TemporaryDirectory() as name, run_service(Path(name) / "data", ROOT / "var" / "models") as served:
        album, out = Path(name) / "album", Path(name) / "sorted"
        album.mkdir()
        linked = [album / file.name for file in files]
        for file, link in zip(files, linked, strict=True):
            link.symlink_to(file.resolve())
        before = embed(served.url, linked)
        sorting = sort(served.url, album, out)
        describe(files, out)
        after = embed(served.url, linked)
    print(f"embedding alone: {before} before, {after} after; the command: {sorting}")
    time, processor = (
        2 * sorting.time_s / (before.time_s + after.time_s),
        2 * sorting.cpu_s / (before.cpu_s + after.cpu_s),
    )
    print(f"the command divided by the embedding alone: {time:.2f} of the time, {processor:.2f} of the time of the CPU")


@dataclass(frozen=True)
class Spent:
    """Seconds, by the clock and of the processor."""

    time_s: float
    cpu_s: float

    @classmethod
    def until_now(cls, url: str) -> Self:
        """Return what the service, this process and the commands that it ran have spent."""
        metrics = text_string_to_metric_families(httpx.get(f"{url}/metrics").raise_for_status().text)
        (service,) = (family.samples[0].value for family in metrics if family.name == "process_cpu_seconds")
        commands = resource.getrusage(resource.RUSAGE_CHILDREN)
        return cls(perf_counter(), service + process_time() + commands.ru_utime + commands.ru_stime)

    def __sub__(self, earlier: Self) -> "Spent":
        return Spent(self.time_s - earlier.time_s, self.cpu_s - earlier.cpu_s)

    def __str__(self) -> str:
        return f"{self.time_s:.1f} s ({self.cpu_s:.1f} s of the CPU)"


def embed(url: str, files: Sequence[Path]) -> Spent:
    """Return what the embedding of all photographs takes."""
    with connect(url, None) as service:
        model = service.model().id
        start = Spent.until_now(url)
        FaceFinder(service, model, lambda: None).run(files)
        return Spent.until_now(url) - start


def sort(url: str, album: Path, out: Path) -> Spent:
    """Run the command, from its start to its end. Return what it takes."""
    start = Spent.until_now(url)
    subprocess.run(facenet_command("cluster", str(album), "--out", str(out), "--url", url), check=True)  # noqa: S603  # our own command
    return Spent.until_now(url) - start


def describe(files: Sequence[Path], out: Path) -> None:
    """Print how well the people were sorted."""
    person_of = {file.name: file.parent.name for file in files}
    found = main_people(out / "report.csv")
    missing = [file.name for file in files if file.name not in found]
    labels = [found.get(file.name) or file.name for file in files]
    print(f"{len(files)} photographs of {len(set(person_of.values()))} people, {len(missing)} without a face")
    print(f"pairwise F: {pairwise_f([person_of[file.name] for file in files], labels):.4f}")
    people_in: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for name, label in zip(person_of, labels, strict=True):
        people_in[label][person_of[name]] += 1
    folders = [label for label in people_in if label.startswith("person-")]
    mixed = [label for label in folders if len(people_in[label]) > 1]
    print(f"{len(folders)} folders with a main face, {len(mixed)} of them with main faces of several people")
    whole = sum(
        len({label for label in people_in if person in people_in[label]}) == 1 for person in set(person_of.values())
    )
    print(f"{whole} people have all of their photographs in one folder")


def main_people(report: Path) -> dict[str, str]:
    """Return the person of the main face of each photograph, by its name. Empty: nobody with a folder."""
    best: dict[str, tuple[float, str]] = {}
    with report.open(encoding="utf-8", newline="") as opened:
        for row in csv.DictReader(opened):
            if row["x"]:
                name = Path(row["file"]).name
                best[name] = max(best.get(name, (-1e9, "")), (prominence(row), row["person"]))
    return {name: person for name, (_, person) in best.items()}


def prominence(row: dict[str, str]) -> float:
    """Return how large and how central a face is: its area, minus twice its squared distance from the centre."""
    x, y, width, height = (float(row[name]) for name in ("x", "y", "width", "height"))
    centre_x, centre_y = x + width / 2 - SIDE_PX / 2, y + height / 2 - SIDE_PX / 2
    return width * height - 2 * (centre_x**2 + centre_y**2)


def pairwise_f(people: Sequence[str], labels: Sequence[str]) -> float:
    """Return the harmonic mean of precision and recall, over pairs of photographs."""
    (_, false_positive), (false_negative, true_positive) = pair_confusion_matrix(people, labels)
    return float(2 * true_positive / (2 * true_positive + false_positive + false_negative))


if __name__ == "__main__":
    main()
