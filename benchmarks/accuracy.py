"""The accuracy of the running service on Labelled Faces in the Wild, over HTTP: verify, identify, cluster.

    facenet-models evaluate lfw --images LFW/images --pairs LFW/pairs.txt --out var/lfw
    python -m benchmarks.accuracy LFW [--offline var/lfw/lfw.npz]

verify      600 of the pairs of View 2. Their distances are compared with those that `evaluate lfw` wrote ("offline")
identify    the first image of each person with several images is enrolled, and the other images of these people are
            probes. People with one image are strangers
cluster     the first 2,000 images, in the order of their names, of people with several images
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

from tests.support.running_service import run_service

ROOT = Path(__file__).parent.parent
CLIENTS = 8
PAIRS = 600
CLUSTERED_IMAGES = 2_000
IMAGES_PER_REQUEST = 16

Item = TypeVar("Item")
Result = TypeVar("Result")


def main() -> None:
    """Measure, and print a line for each result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lfw", type=Path, help="a folder with images/PERSON/FILE")
    parser.add_argument("--offline", type=Path, default=ROOT / "var" / "lfw" / "lfw.npz")
    arguments = parser.parse_args()
    images = arguments.lfw / "images"
    people = {person.name: sorted(person.iterdir()) for person in sorted(images.iterdir())}
    with (
        TemporaryDirectory() as folder,
        run_service(Path(folder) / "data", ROOT / "var" / "models") as served,
        httpx.Client(base_url=served.url, timeout=120) as client,
    ):
        verify(client, images, np.load(arguments.offline))
        cluster(client, [file for files in people.values() if len(files) > 1 for file in files][:CLUSTERED_IMAGES])
        identify(client, people)


def verify(client: httpx.Client, images: Path, offline: Any) -> None:  # noqa: ANN401  # the archive of np.load has no type
    """Compare the distances of the service with the offline distances.

    Every n-th pair is taken, so all folds, and pairs of both kinds, are among them.
    """
    rows = np.linspace(0, len(offline["distances"]) - 1, PAIRS).astype(int)

    def request_distance(row: int) -> float:
        files = {
            f"image_{side}": (images / offline[end][row]).read_bytes() for side, end in (("a", "left"), ("b", "right"))
        }
        return float(client.post("/verify", files=files).raise_for_status().json()["distance"])

    online = np.array(run_in_threads(request_distance, rows, "verify"))
    difference = np.abs(online - offline["distances"][rows]).max()
    print(f"verify: {PAIRS} pairs, greatest difference to the offline distances {difference:.1e}")


def cluster(client: httpx.Client, files: Sequence[Path]) -> None:
    """Cluster the main face of each image by its embedding, and print the pairwise F.

    A face that the service labels as noise (-1) counts as a cluster of its own.
    """
    model = client.get("/model").json()["id"]
    parts = [files[start : start + IMAGES_PER_REQUEST] for start in range(0, len(files), IMAGES_PER_REQUEST)]
    embeddings_of_parts = run_in_threads(lambda part: embed_main_faces(client, part), parts, "embed")
    body = {"embeddings": [embedding for part in embeddings_of_parts for embedding in part], "model": model}
    answer = client.post("/cluster", json=body).raise_for_status().json()
    labels = np.array([face["label"] for face in answer["faces"]])
    labels[labels < 0] = labels.max() + 1 + np.arange(np.count_nonzero(labels < 0))
    _, people = np.unique([file.parent.name for file in files], return_inverse=True)
    (_, same_label_only), (same_person_only, same_label_and_person) = pair_confusion_matrix(people, labels)
    f = 2 * same_label_and_person / (2 * same_label_and_person + same_label_only + same_person_only)
    method = f"{answer['method']} at {answer['threshold']}"
    print(f"cluster: {len(files)} images of {people.max() + 1} people, {method}: pairwise F {f:.4f}")


def embed_main_faces(client: httpx.Client, files: Sequence[Path]) -> list[list[float]]:
    """Return the embedding of the main face of each image. /embed returns all faces, so the caller chooses."""
    uploads = [("images", file.read_bytes()) for file in files]
    answer = client.post("/embed", params={"include": "embedding"}, files=uploads).raise_for_status().json()
    return [max(image["faces"], key=prominence)["embedding"] for image in answer["images"]]


def prominence(face: dict[str, Any]) -> float:
    """Return the area of the face, minus twice the squared distance from the centre of the image.

    This is Sandberg's rule for the main face (`service/pipeline/selection.py`). The images of LFW are 250 x 250 pixels.
    """
    box = face["box"]
    x, y = box["x"] + box["width"] / 2 - 125, box["y"] + box["height"] / 2 - 125
    return float(box["width"] * box["height"] - 2 * (x * x + y * y))


def identify(client: httpx.Client, people: dict[str, list[Path]]) -> None:
    """Print how often an enrolled person is found, and how often a stranger is taken for an enrolled person.

    rank-1: the nearest subject is the right one. The other rates are at the default threshold.
    """
    enrolled = {name: files for name, files in people.items() if len(files) > 1}
    run_in_threads(lambda name: enrol(client, name, enrolled[name][0]), enrolled, "enrol")
    probes = [(name, file) for name, files in enrolled.items() for file in files[1:]]
    answers = run_in_threads(lambda probe: identify_main_face(client, probe[1]), probes, "identify")
    rank_1 = np.mean([nearest == name for (name, _), (nearest, _) in zip(probes, answers, strict=True)])
    right_name = np.mean([match == name for (name, _), (_, match) in zip(probes, answers, strict=True)])
    strangers = [files[0] for files in people.values() if len(files) == 1]
    matches = run_in_threads(lambda file: identify_main_face(client, file)[1], strangers, "strangers")
    wrong_name = np.mean([match is not None for match in matches])
    print(f"identify: {len(enrolled)} enrolled, {len(probes)} probes: rank-1 {rank_1:.4f}, right name {right_name:.4f}")
    print(f"identify: {len(strangers)} strangers: got a name {wrong_name:.4f}")


def enrol(client: httpx.Client, name: str, file: Path) -> None:
    """Enrol the main face of an image."""
    path = f"/collections/default/subjects/{name}"
    client.put(path, json={"name": name}).raise_for_status()
    client.post(
        f"{path}/faces", params={"on_several": "main", "min_quality": 0}, files={"images": file.read_bytes()}
    ).raise_for_status()


def identify_main_face(client: httpx.Client, file: Path) -> tuple[str, str | None]:
    """Return the nearest subject of the main face, and the subject that it is a match for, if any."""
    answer = client.post("/identify", params={"k": 1}, files={"image": file.read_bytes()}).raise_for_status().json()
    face = max(answer["faces"], key=prominence)
    return face["candidates"][0]["subject"], face["subject"]


def run_in_threads(work: Callable[[Item], Result], items: Iterable[Item], title: str) -> list[Result]:
    """Return the result of each item, in order. Several clients work at the same time, and a progress bar is shown."""
    all_items = list(items)
    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(track(pool.map(work, all_items), title, total=len(all_items)))


if __name__ == "__main__":
    main()
