"""The running service measured on Labelled Faces in the Wild, over HTTP: verify, identify, cluster.

    facenet-models evaluate lfw --images LFW/images --pairs LFW/pairs.txt --out var/lfw
    python -m benchmarks.accuracy LFW [--offline var/lfw/lfw.npz]

verify: 600 of the pairs of View 2 against the distances that the offline evaluation wrote. identify: the first image of
each person with several is enrolled and their other images are probes; people with one image are strangers. cluster:
the first 2,000 images, by name, of people with several.
"""

import argparse
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import httpx
import numpy as np
from rich.progress import track
from sklearn.metrics.cluster import pair_confusion_matrix

from tests.served import serve

ROOT = Path(__file__).parent.parent
CLIENTS = 8
PAIRS = 600
CLUSTERED = 2_000
PART = 16

T = TypeVar("T")
R = TypeVar("R")


def main() -> None:
    """Prints a line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lfw", type=Path)
    parser.add_argument("--offline", type=Path, default=ROOT / "var" / "lfw" / "lfw.npz")
    arguments = parser.parse_args()
    images = arguments.lfw / "images"
    people = {one.name: sorted(one.iterdir()) for one in sorted(images.iterdir())}
    with (
        TemporaryDirectory() as folder,
        serve(Path(folder) / "data", ROOT / "var" / "models") as served,
        httpx.Client(base_url=served.url, timeout=120) as client,
    ):
        verify(client, images, np.load(arguments.offline))
        cluster(client, [file for files in people.values() if len(files) > 1 for file in files][:CLUSTERED])
        identify(client, people)


def verify(client: httpx.Client, images: Path, offline: Any) -> None:  # noqa: ANN401  # np.load's archive is untyped
    """Every n-th pair, so that all folds and both kinds are among them."""
    rows = np.linspace(0, len(offline["distances"]) - 1, PAIRS).astype(int)

    def distance(row: int) -> float:
        files = {
            f"image_{side}": (images / offline[end][row]).read_bytes() for side, end in (("a", "left"), ("b", "right"))
        }
        return float(client.post("/verify", files=files).raise_for_status().json()["distance"])

    online = np.array(side_by_side(distance, rows, "verify"))
    difference = np.abs(online - offline["distances"][rows]).max()
    print(f"verify: {PAIRS} pairs, greatest difference to the offline distances {difference:.1e}")


def cluster(client: httpx.Client, files: Sequence[Path]) -> None:
    """The main face of each image, as the embeddings that /embed gives. Pairwise F; noise is a cluster of its own."""
    model = client.get("/model").json()["id"]
    parts = [files[start : start + PART] for start in range(0, len(files), PART)]
    embeddings = [one for part in side_by_side(lambda part: main_faces(client, part), parts, "embed") for one in part]
    body = {"embeddings": embeddings, "model": model}
    answer = client.post("/cluster", json=body).raise_for_status().json()
    labels = np.array([face["label"] for face in answer["faces"]])
    labels[labels < 0] = labels.max() + 1 + np.arange(np.count_nonzero(labels < 0))
    _, people = np.unique([file.parent.name for file in files], return_inverse=True)
    (_, only_found), (only_true, both) = pair_confusion_matrix(people, labels)
    f = 2 * both / (2 * both + only_found + only_true)
    how = f"{answer['method']} at {answer['threshold']}"
    print(f"cluster: {len(files)} images of {people.max() + 1} people, {how}: pairwise F {f:.4f}")


def main_faces(client: httpx.Client, files: Sequence[Path]) -> list[list[float]]:
    """By Sandberg's rule, which /embed leaves to its caller. LFW's images are 250 pixels on each side."""
    uploads = [("images", file.read_bytes()) for file in files]
    answer = client.post("/embed", params={"include": "embedding"}, files=uploads).raise_for_status().json()
    return [max(image["faces"], key=prominence)["embedding"] for image in answer["images"]]


def prominence(face: dict[str, Any]) -> float:
    """Area less twice the squared distance from the image's centre."""
    box = face["box"]
    x, y = box["x"] + box["width"] / 2 - 125, box["y"] + box["height"] / 2 - 125
    return float(box["width"] * box["height"] - 2 * (x * x + y * y))


def identify(client: httpx.Client, people: dict[str, list[Path]]) -> None:
    """Rank-1 of known people; how often they are found, and strangers called somebody, at the default threshold."""
    known = {name: files for name, files in people.items() if len(files) > 1}
    side_by_side(lambda name: enrol(client, name, known[name][0]), known, "enrol")
    probes = [(name, file) for name, files in known.items() for file in files[1:]]
    found = side_by_side(lambda probe: nearest(client, probe[1]), probes, "identify")
    first = np.mean([subject == name for (name, _), (subject, _) in zip(probes, found, strict=True)])
    named = np.mean([match == name for (name, _), (_, match) in zip(probes, found, strict=True)])
    strangers = [files[0] for files in people.values() if len(files) == 1]
    called = side_by_side(lambda file: nearest(client, file)[1], strangers, "strangers")
    wrong = np.mean([match is not None for match in called])
    print(f"identify: {len(known)} enrolled, {len(probes)} probes: rank-1 {first:.4f}, named rightly {named:.4f}")
    print(f"identify: {len(strangers)} strangers: called somebody {wrong:.4f}")


def enrol(client: httpx.Client, name: str, file: Path) -> None:
    """The main face of one image."""
    path = f"/collections/default/subjects/{name}"
    client.put(path, json={"name": name}).raise_for_status()
    client.post(f"{path}/faces", params={"on_several": "main"}, files={"images": file.read_bytes()}).raise_for_status()


def nearest(client: httpx.Client, file: Path) -> tuple[str, str | None]:
    """The nearest subject of the main face, and whom the service takes it for."""
    answer = client.post("/identify", params={"k": 1}, files={"image": file.read_bytes()}).raise_for_status().json()
    face = max(answer["faces"], key=prominence)
    return face["candidates"][0]["subject"], face["subject"]


def side_by_side(work: Callable[[T], R], items: Iterable[T], title: str) -> list[R]:
    """With several clients at once, under a progress bar; the results in order."""
    several = list(items)
    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(track(pool.map(work, several), title, total=len(several)))


if __name__ == "__main__":
    main()
