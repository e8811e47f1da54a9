"""What encryption costs: an encrypted gallery beside a plain one, in one run.

    python -m benchmarks.encryption [--faces 20000] [--rounds 5]

Each operation is done in the plain and in the encrypted gallery, one after the other. The table has the median time of
both, and the median of the ratios of the rounds. The vectors are random. Then a running service answers /verify of
two photographs, with and without a key.
"""

import argparse
import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import httpx
import numpy as np
from rich.console import Console
from rich.table import Table

from service.access.secret_file import write_encryption_key
from service.gallery.base import EmbeddingModel, FaceToEnrol
from service.gallery.records.sqlite.data_directory import DATABASE_FILE
from service.observability.logs import configure_logs
from tests.support.blocking_gallery import BlockingGallery
from tests.support.running_service import RunningService, run_service

ROOT = Path(__file__).parent.parent
PHOTOGRAPHS = [ROOT / "var" / "photographs" / "obama" / name for name in ("obama.jpg", "obama2.jpg")]
DIMENSION, BATCH, SEARCHES, ENROLMENTS, VERIFICATIONS = 128, 500, 100, 20, 10
MODEL = EmbeddingModel("e" * 64, DIMENSION)
COLLECTION = "default"
Operation = Callable[[BlockingGallery], None]


def make_faces(count: int, seed: int) -> list[FaceToEnrol]:
    """Return faces with random unit vectors."""
    vectors = np.random.default_rng(seed).standard_normal((count, DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return [FaceToEnrol(hashlib.sha256(vector.tobytes()).hexdigest(), vector) for vector in vectors]


def fill(folder: Path, key_file: Path | None, faces: int) -> None:
    """Make a gallery with BATCH faces for each subject."""
    gallery = BlockingGallery.open(folder, "faiss", key_file)
    for start in range(0, faces, BATCH):
        gallery.put_subject(COLLECTION, f"subject-{start}", f"Name {start}", {"number": start})
        gallery.enrol(COLLECTION, f"subject-{start}", make_faces(BATCH, seed=start), MODEL)
    gallery.close()


def enrol(gallery: BlockingGallery, seed: int) -> None:
    """Enrol faces one by one, each in a transaction of its own."""
    gallery.put_subject(COLLECTION, "new", "New", {})
    for face in make_faces(ENROLMENTS, seed):
        gallery.enrol(COLLECTION, "new", [face], MODEL)


def search(gallery: BlockingGallery) -> None:
    """Search the faces of one probe at a time, as /identify does."""
    for face in make_faces(SEARCHES, seed=7):
        gallery.search(COLLECTION, face.embedding[None], 5, MODEL)


def read_subject(gallery: BlockingGallery) -> None:
    """Read the embeddings of a subject of 500 faces, as /verify against a subject does."""
    for _ in range(5):
        gallery.subject_embeddings(COLLECTION, "subject-0", MODEL)


def seconds(operation: Callable[[], object]) -> float:
    """Return how long it takes."""
    started_s = time.perf_counter()
    operation()
    return time.perf_counter() - started_s


def measure_galleries(folder: Path, key_file: Path, faces: int, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Return, by operation, the seconds of the plain and of the encrypted gallery in each round."""
    variants = {"plain": None, "encrypted": key_file}
    for name, key in variants.items():
        fill(folder / name, key, faces)
    found: dict[str, list[tuple[float, float]]] = {"start": [], "search": [], "enrol": [], "read a subject": []}
    for number in range(rounds):
        times: dict[str, list[float]] = {name: [] for name in found}
        opened = []
        for name, key in variants.items():
            started_s = time.perf_counter()
            opened.append(BlockingGallery.open(folder / name, "faiss", key))
            times["start"].append(time.perf_counter() - started_s)
        for gallery in opened:
            times["search"].append(seconds(lambda: search(gallery)))  # noqa: B023  # called at once
            times["enrol"].append(seconds(lambda: enrol(gallery, 10**6 + number)))  # noqa: B023
            times["read a subject"].append(seconds(lambda: read_subject(gallery)))  # noqa: B023
        for gallery in opened:
            gallery.close()
        for name, (plain, encrypted) in times.items():
            found[name].append((plain, encrypted))
    return found


def verify(service: RunningService) -> None:
    """Verify two photographs, one request after the other."""
    for _ in range(VERIFICATIONS):
        files = {f"image_{side}": photograph.read_bytes() for side, photograph in zip("ab", PHOTOGRAPHS, strict=True)}
        httpx.post(f"{service.url}/verify", files=files, timeout=60).raise_for_status()


def measure_verify(folder: Path, key_file: Path, rounds: int) -> list[tuple[float, float]]:
    """Return the seconds of /verify in each round, without and with a key."""
    models = ROOT / "var" / "models"
    setting = {"FACE_GALLERY__ENCRYPTION_KEY_FILE": str(key_file)}
    with (
        run_service(folder / "plain", models) as plain,
        run_service(folder / "encrypted", models, **setting) as encrypted,
    ):
        for service in (plain, encrypted):
            verify(service)  # warms it
        return [(seconds(lambda: verify(plain)), seconds(lambda: verify(encrypted))) for _ in range(rounds)]


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    configure_logs("error", "console")
    table = Table("operation", "plain, ms", "encrypted, ms", "ratio")
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_encryption_key(folder / "key")
        found = measure_galleries(folder, folder / "key", arguments.faces, arguments.rounds)
        sizes = [(folder / variant / DATABASE_FILE).stat().st_size for variant in ("plain", "encrypted")]
        first_start_s = measure_first_start(folder, arguments.faces)
        found["/verify"] = measure_verify(folder, folder / "key", arguments.rounds)
    for operation, times in found.items():
        plain_ms, encrypted_ms = (1000 * median(column) for column in zip(*times, strict=True))
        ratio = median(encrypted / plain for plain, encrypted in times)
        table.add_row(operation, f"{plain_ms:.1f}", f"{encrypted_ms:.1f}", f"{ratio:.2f}")
    Console().print(table)
    print(f"database: {sizes[0] / 2**20:.1f} MiB plain, {sizes[1] / 2**20:.1f} MiB encrypted")
    print(f"first start with a key, a plain gallery of {arguments.faces} faces: {first_start_s:.1f} s")


def measure_first_start(folder: Path, faces: int) -> float:
    """Return how long the start takes that encrypts a plain gallery."""
    fill(folder / "later", None, faces)
    started_s = time.perf_counter()
    gallery = BlockingGallery.open(folder / "later", "faiss", folder / "key")
    took_s = time.perf_counter() - started_s
    gallery.close()
    return took_s


if __name__ == "__main__":
    main()
