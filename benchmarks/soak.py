"""Mixed traffic for a long time: does the service stay as small as it is, and is its gallery right at the end?

    python -m benchmarks.soak [--minutes 20] [--json FILE]

Three clients enrol, identify, verify, cluster, delete, and send bodies that are refused. Every second, the memory, the
descriptors and the threads of the service and its child processes are read. At the end, every subject that is enrolled
must be found by its own embedding, and every one that was deleted must be gone.
"""

import argparse
import json
import random
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import monotonic, sleep

import httpx
import numpy as np
from rich.console import Console
from rich.table import Table

from tests.support.running_service import run_service

ROOT = Path(__file__).parent.parent
CLIENTS = 3
DIMENSION = 128
MOST_SUBJECTS = 200
"""Of one client. Then it deletes as many as it enrols, so that the gallery does not grow."""
CLUSTERED = 600


@dataclass(frozen=True)
class Sample:
    """The service and its child processes at one moment."""

    memory_mb: float
    descriptors: int
    threads: int


@dataclass
class Report:
    """What was measured: the medians of the second and the last quarter of the time."""

    minutes: float
    requests: int
    unexpected: int
    memory_mb: tuple[float, float]
    descriptors: tuple[float, float]
    threads: tuple[float, float]
    enrolled: int
    not_found: int
    deleted: int
    still_there: int


class Client:
    """A client with subjects of its own. subjects: the embedding of each that is enrolled."""

    def __init__(self, number: int, url: str, photographs: list[bytes]) -> None:
        self._http = httpx.Client(base_url=url, timeout=120)
        self._model = self._http.get("/model").json()["id"]
        self._photographs = photographs
        self._random, self._numbers = random.Random(number), np.random.default_rng(number)  # noqa: S311  # no secret
        self._name = f"soak-{number}"
        self._made = 0
        self.subjects: dict[str, list[float]] = {}
        self.deleted: list[str] = []
        self.requests = 0
        self.unexpected: list[tuple[str, int]] = []

    def run(self, until_s: float) -> None:
        """Send requests of all kinds until that time."""
        kinds = [self._enrol] * 8 + [self._identify] * 6 + [self._verify] * 4 + [self._delete] * 4
        kinds += [self._refused] * 2 + [self._cluster]
        while monotonic() < until_s:
            self._random.choice(kinds)()

    def is_found(self, subject: str) -> bool:
        """Return whether the subject is the nearest to its own embedding."""
        faces = self._search(self.subjects[subject]).json()["faces"]
        return bool(faces[0]["candidates"]) and faces[0]["candidates"][0]["subject"] == subject

    def is_gone(self, subject: str) -> bool:
        """Return whether the subject does not exist."""
        return self._http.get(f"/collections/default/subjects/{subject}").status_code == 404

    def _search(self, embedding: list[float]) -> httpx.Response:
        return self._http.post("/identify", json={"image": {"embedding": embedding, "model": self._model}})

    def _expect(self, what: str, answer: httpx.Response, *statuses: int) -> None:
        self.requests += 1
        if answer.status_code not in statuses:
            self.unexpected.append((what, answer.status_code))

    def _embeddings(self, count: int) -> list[list[float]]:
        vectors = self._numbers.normal(size=(count, DIMENSION))
        rows: list[list[float]] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).tolist()
        return rows

    def _enrol(self) -> None:
        if len(self.subjects) >= MOST_SUBJECTS:
            self._delete()
        subject = f"{self._name}-{self._made}"
        self._made += 1
        path = f"/collections/default/subjects/{subject}"
        self._expect("create", self._http.put(path, json={"name": subject}), 201)
        (embedding,) = self._embeddings(1)
        body = {"images": [{"embedding": embedding, "model": self._model}]}
        self._expect("enrol", self._http.post(f"{path}/faces", json=body), 201)
        self.subjects[subject] = embedding

    def _identify(self) -> None:
        self._expect("identify", self._http.post("/identify", files={"image": self._photograph()}), 200)

    def _verify(self) -> None:
        files = {"image_a": self._photograph(), "image_b": self._photograph()}
        self._expect("verify", self._http.post("/verify", files=files), 200)

    def _photograph(self) -> bytes:
        return self._random.choice(self._photographs)

    def _delete(self) -> None:
        if self.subjects:
            subject = self._random.choice(list(self.subjects))
            self._expect("delete", self._http.delete(f"/collections/default/subjects/{subject}"), 204)
            del self.subjects[subject]
            self.deleted.append(subject)

    def _refused(self) -> None:
        broken = self._photograph()[:2000]
        self._expect("broken", self._http.post("/embed", files={"images": broken}), 422)

    def _cluster(self) -> None:
        body = {"embeddings": self._embeddings(CLUSTERED), "model": self._model}
        self._expect("cluster", self._http.post("/cluster?threshold=1", json=body), 200)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--json", type=Path, help="a file to write")
    arguments = parser.parse_args()
    photographs = [file.read_bytes() for file in sorted((ROOT / "var" / "photographs").glob("*/*.jpg"))]
    with TemporaryDirectory() as folder, run_service(Path(folder) / "data", ROOT / "var" / "models") as served:
        clients = [Client(number, served.url, photographs) for number in range(CLIENTS)]
        samples = _run(clients, served.process.pid, arguments.minutes)
        report = _report(arguments.minutes, clients, samples)
    Console().print(_table(report))
    if arguments.json:
        arguments.json.write_text(json.dumps(asdict(report), indent=2) + "\n", "utf-8")


def _run(clients: list[Client], pid: int, minutes: float) -> list[Sample]:
    until_s = monotonic() + 60 * minutes
    threads = [threading.Thread(target=client.run, args=(until_s,)) for client in clients]
    for thread in threads:
        thread.start()
    samples = []
    while monotonic() < until_s:
        samples.append(_sample(pid))
        sleep(1)
    for thread in threads:
        thread.join()
    return samples


def _sample(pid: int) -> Sample:
    processes = [Path(f"/proc/{pid}"), *(Path(f"/proc/{child}") for child in _children(pid))]
    statuses = list(_read_running(process / "status" for process in processes))
    memory_kb = sum(int(status.split("VmRSS:")[1].split()[0]) for status in statuses if "VmRSS:" in status)
    threads = sum(int(status.split("Threads:")[1].split()[0]) for status in statuses)
    return Sample(memory_kb / 1024, len(list((processes[0] / "fd").iterdir())), threads)


def _children(pid: int) -> list[str]:
    lists = _read_running(task / "children" for task in Path(f"/proc/{pid}/task").iterdir())
    return [child for children in lists for child in children.split()]


def _read_running(files: Iterable[Path]) -> Iterator[str]:
    """Read files of processes and threads. One that ended meanwhile has none."""
    for file in files:
        with suppress(FileNotFoundError, ProcessLookupError):
            yield file.read_text("utf-8")


def _report(minutes: float, clients: list[Client], samples: list[Sample]) -> Report:
    quarter = len(samples) // 4
    second, last = samples[quarter : 2 * quarter], samples[3 * quarter :]
    enrolled = [(client, subject) for client in clients for subject in client.subjects]
    deleted = [(client, subject) for client in clients for subject in client.deleted]
    for client in clients:
        for what in client.unexpected[:5]:
            print("unexpected", *what)
    return Report(
        minutes=minutes,
        requests=sum(client.requests for client in clients),
        unexpected=sum(len(client.unexpected) for client in clients),
        memory_mb=(median(one.memory_mb for one in second), median(one.memory_mb for one in last)),
        descriptors=(median(one.descriptors for one in second), median(one.descriptors for one in last)),
        threads=(median(one.threads for one in second), median(one.threads for one in last)),
        enrolled=len(enrolled),
        not_found=sum(not client.is_found(subject) for client, subject in enrolled),
        deleted=len(deleted),
        still_there=sum(not client.is_gone(subject) for client, subject in deleted),
    )


def _table(report: Report) -> Table:
    table = Table("", "second quarter", "last quarter", "last / second", "asked", title=f"{report.minutes:g} minutes")
    rows = [("memory MB", report.memory_mb, "<= 1.05"), ("descriptors", report.descriptors, "flat")]
    for name, (second, last), asked in [*rows, ("threads", report.threads, "flat")]:
        table.add_row(name, f"{second:.0f}", f"{last:.0f}", f"{last / second:.3f}", asked)
    table.add_row("requests, unexpected answers", str(report.requests), str(report.unexpected), "", "0")
    table.add_row("enrolled, not found", str(report.enrolled), str(report.not_found), "", "0")
    table.add_row("deleted, still there", str(report.deleted), str(report.still_there), "", "0")
    return table


if __name__ == "__main__":
    main()
