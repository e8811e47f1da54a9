"""Check that nothing of deleted subjects, and no replaced name, is left in any byte of the data directory.

    python -m benchmarks.erasure [--subjects 20000] [--folder FOLDER]

Enrols subjects, renames all, and deletes half of them in a random order. Then it searches all files for the ids, names,
hashes and vectors: before the database was rewritten, after it, and after the gallery was closed. It also prints what
each change costs.
"""

import argparse
import hashlib
import random
import re
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import numpy as np

from service.access.audit.files import FOLDER, Keeping
from service.access.audit.gallery_log import GalleryAuditLog
from service.access.audit.log import AuditLog
from service.access.audit.request_lines import AnsweredRequest, Event
from service.domain.embedding import Embeddings
from service.gallery.base import EmbeddingModel, FaceToEnrol, SubjectChanges
from service.gallery.gallery import Gallery
from service.gallery.opening import open_gallery
from service.observability.outcomes import request_outcome

DIMENSION = 128
MODEL = EmbeddingModel("e" * 64, DIMENSION)
COLLECTION = "default"
ROUTE = "/collections/{collection}/subjects/{subject}"
VECTOR_PART_BYTES = 16
"""Parts of vectors are searched, because a part can stay where the rest was overwritten."""
TEXT = re.compile(rb"(?=((?:person|former|name)\.[0-9a-f]{24}|[0-9a-f]{64}))")
Progress = Callable[[str], None]


class Subjects:
    """Random subjects with one face each. Everything that can identify them is random, so it is found by its bytes."""

    def __init__(self, count: int, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311  # nothing secret
        vectors = np.random.default_rng(seed).standard_normal((count, DIMENSION)).astype(np.float32)
        self.embeddings: Embeddings = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        self.hashes = [hashlib.sha256(vector.tobytes()).hexdigest() for vector in self.embeddings]
        self.ids, self.former_names, self.names = (self._texts(kind, count) for kind in ("person", "former", "name"))
        self.deleted = self._random.sample(range(count), count // 2)

    def _texts(self, kind: str, count: int) -> list[str]:
        """Return texts of different lengths, so that rows grow and shrink when they change."""
        return [f"{kind}.{self._random.getrandbits(96):024x}" + "x" * self._random.randrange(30) for _ in range(count)]


class AuditedChanges:
    """Makes changes as requests do: each gets its line in the audit log."""

    def __init__(self, gallery: Gallery, log: AuditLog) -> None:
        self._gallery, self._log = gallery, log

    async def make(self, method: str, subject: str, change: Awaitable[object]) -> None:
        """Make a change of a subject."""
        with request_outcome() as outcome:
            await change
            ids = {"collection": COLLECTION, "subject": subject}
            request = AnsweredRequest("erasure", method, ROUTE, False, ids, 200, None, outcome)  # noqa: FBT003
            fields = request.fields(Event.CHANGE, self._log.secret, self._gallery.has_collection)
            await self._log.record_change(fields)


async def change(gallery: Gallery, changes: AuditedChanges, subjects: Subjects) -> None:
    """Enrol, rename and delete, and print what each change cost."""
    with timed("enrol", len(subjects.ids)):
        for subject, name, sha256, embedding in zip(
            subjects.ids, subjects.former_names, subjects.hashes, subjects.embeddings, strict=True
        ):
            await changes.make("PUT", subject, gallery.put_subject(COLLECTION, subject, name, {"note": name}))
            face = FaceToEnrol(sha256, embedding)
            await changes.make("POST", subject, gallery.enrol(COLLECTION, subject, [face], MODEL))
    with timed("rename", len(subjects.ids)):
        for subject, name in zip(subjects.ids, subjects.names, strict=True):
            fields: SubjectChanges = {"name": name, "metadata": {"note": name}}
            await changes.make("PATCH", subject, gallery.change_subject(COLLECTION, subject, fields))
    with timed("delete", len(subjects.deleted)):
        for number in subjects.deleted:
            subject = subjects.ids[number]
            await changes.make("DELETE", subject, gallery.delete_subject(COLLECTION, subject))


@contextmanager
def timed(what: str, count: int) -> Iterator[None]:
    """Print the milliseconds of one change."""
    started_s = time.perf_counter()
    yield
    print(f"{what}: {(time.perf_counter() - started_s) / count * 1000:.2f} ms each, {count} times", flush=True)


def print_remains(when: str, folder: Path, subjects: Subjects) -> int:
    """Search all files, print how much of each kind was found, and return how much in all."""
    content = b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
    texts = {match.group(1) for match in TEXT.finditer(content)}
    deleted = subjects.deleted
    found = {
        "ids": _count(texts, (subjects.ids[number] for number in deleted)),
        "names": _count(texts, (subjects.names[number] for number in deleted)),
        "former names": _count(texts, subjects.former_names),
        "hashes": _count(texts, (subjects.hashes[number] for number in deleted)),
        "parts of vectors": _count_vectors(content, subjects.embeddings[deleted]),
    }
    print(f"{when}: {len(content):,} bytes hold {found}", flush=True)
    return sum(found.values())


def _count(texts: set[bytes], deleted: Iterable[str]) -> int:
    wanted = {re.match(TEXT, text.encode()).group(1) for text in deleted}  # type: ignore[union-attr]  # all match
    return len(texts & wanted)


def _count_vectors(content: bytes, deleted: Embeddings) -> int:
    """Count the parts of vectors at any position of the content."""
    parts = deleted.view(f"V{VECTOR_PART_BYTES}").ravel()
    wanted = {part.tobytes() for part in parts}
    windows = np.lib.stride_tricks.sliding_window_view(np.frombuffer(content, np.uint8), VECTOR_PART_BYTES)
    first_bytes = {part[:4] for part in wanted}
    heads = np.frombuffer(b"".join(first_bytes), "<u4")
    words = windows[:, 0:4].astype(np.uint32) @ np.array([1, 2**8, 2**16, 2**24], np.uint32)
    places = np.flatnonzero(np.isin(words, heads))
    return len({content[place : place + VECTOR_PART_BYTES] for place in places} & wanted)


async def run(folder: Path, count: int) -> int:
    """Return how much was found after the rewrite and after the end."""
    subjects = Subjects(count)
    log = AuditLog(folder / FOLDER, folder / FOLDER / "secret", Keeping(days=365, total_bytes=2**30))
    with open_gallery(folder, "exact", GalleryAuditLog(log)) as gallery:
        await change(gallery, AuditedChanges(gallery, log), subjects)
        print_remains("before the rewrite", folder, subjects)
        started_s = time.perf_counter()
        while gallery.has_remains:  # noqa: ASYNC110  # a thread removes them, and nothing signals it
            await anyio.sleep(0.5)
        print(f"rewritten {time.perf_counter() - started_s:.1f} s after the last deletion")
        found = print_remains("after the rewrite", folder, subjects)
    return found + print_remains("after the end", folder, subjects)


def main() -> None:
    """Print the results. The exit code is 1 if anything was left."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subjects", type=int, default=20_000)
    parser.add_argument("--folder", type=Path, help="where the gallery is made; a temporary folder by default")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        raise SystemExit(bool(anyio.run(run, Path(folder) / "data", arguments.subjects)))


if __name__ == "__main__":
    main()
