"""Read a whole collection as the lines of its file, one part after the other.

Each page is read in a transaction of its own. A long one would keep deleted content in the journal of SQLite. So a
change that is made meanwhile may be in the file or not. What was deleted before its page is read is not.
"""

import base64
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import anyio

from service.domain.errors import ModelMismatch
from service.gallery.backup.collection_file import (
    CHECKSUM,
    COLLECTION,
    END,
    FACE,
    FORMAT,
    PART_BYTES,
    PART_LINES,
    SUBJECT,
    VERSION,
    to_line,
)
from service.gallery.base import Subject
from service.gallery.records.database import Database
from service.gallery.records.statements import collections
from service.gallery.records.statements.moving import reading
from service.gallery.records.statements.moving.reading import CollectionToRead
from service.gallery.records.statements.moving.values import MovedFace, checksum_of
from service.gallery.threads import in_thread

SUBJECTS_PER_PAGE = 500
FACES_PER_PAGE = 1_000
BYTES_PER_PAGE = 2**22


class CollectionExport:
    """Reads one collection, once. Every method raises CollectionNotFound or StorageUnavailable.

    threads: limits how many methods of the gallery read in parallel.
    expire: deletes what has expired in a collection.
    """

    def __init__(
        self, database: Database, threads: anyio.CapacityLimiter, collection: str, expire: Callable[[str], None]
    ) -> None:
        self.threads = self.changing_threads = threads
        self._database, self._collection, self._expire = database, collection, expire
        self._parts = self._make_parts()
        self._counts = {SUBJECT: 0, FACE: 0}
        self._late: set[int] = set()

    @in_thread
    def next_part(self) -> bytes:
        """Return the next part of the file. It is empty after the last.

        Raises ModelMismatch if the collection was emptied meanwhile, and has faces of another model now.
        """
        return next(self._parts, b"")

    def _make_parts(self) -> Iterator[bytes]:
        """Yield parts, each with the line of its checksum."""
        previous, lines, size = "", list[bytes](), 0
        for line in self._lines():
            lines.append(line)
            size += len(line)
            if size >= PART_BYTES or len(lines) == PART_LINES:
                data = b"".join(lines)
                previous, lines, size = checksum_of(previous, data), [], 0
                yield data + to_line({"type": CHECKSUM, "sha256": previous})
        data = b"".join(lines)
        counts = {"subjects": self._counts[SUBJECT], "faces": self._counts[FACE]}
        yield data + to_line({"type": END, **counts, "sha256": checksum_of(previous, data)})

    def _lines(self) -> Iterator[bytes]:
        self._expire(self._collection)
        with self._database.reading() as connection:
            read = reading.open_collection(connection, self._collection)
        yield to_line(_first_line(self._collection, read))
        last_key = 0
        while subjects := self._next_subjects(read, last_key):
            last_key = subjects[-1][0]
            for _, subject in subjects:
                yield self._counted(SUBJECT, _subject_line(subject))
        yield from self._face_lines(read, last_key)

    def _next_subjects(self, read: CollectionToRead, after: int) -> list[tuple[int, Subject]]:
        with self._database.reading() as connection:
            self._require_same(read, collections.find(connection, self._collection))
            return reading.subjects_after(connection, read.key, after, SUBJECTS_PER_PAGE)

    def _face_lines(self, read: CollectionToRead, last_key: int) -> Iterator[bytes]:
        """Yield the faces. A face that was moved to a new subject meanwhile comes after a line of this subject."""
        if read.fields.model is None:
            return
        count, number = min(FACES_PER_PAGE, BYTES_PER_PAGE // (4 * read.fields.model.dimension)), 0
        while True:
            with self._database.reading() as connection:
                self._require_same(read, collections.find(connection, self._collection))
                faces = reading.faces_after(connection, read, number, count)
                late = {face.subject_key for face in faces if face.subject_key > last_key} - self._late
                subjects = reading.subjects_with_keys(connection, read.key, sorted(late)) if late else []
            if not faces:
                return
            self._late |= late
            number = faces[-1].number
            yield from (self._counted(SUBJECT, _subject_line(subject)) for _, subject in subjects)
            yield from (self._counted(FACE, _face_line(one.face)) for one in faces)

    @staticmethod
    def _require_same(read: CollectionToRead, now: collections.CollectionRow) -> None:
        if now.key != read.key or now.model not in {None, read.fields.model}:
            raise ModelMismatch("The collection was deleted or emptied meanwhile, and is another one now.")

    def _counted(self, kind: str, fields: dict[str, Any]) -> bytes:
        self._counts[kind] += 1
        return to_line({"type": kind, **fields})


def _first_line(collection: str, read: CollectionToRead) -> dict[str, Any]:
    fields = read.fields
    own = fields.own_calibration
    return {
        "type": COLLECTION,
        "format": FORMAT,
        "version": VERSION,
        "id": collection,
        "model": fields.model and fields.model.id,
        "dimension": fields.model and fields.model.dimension,
        "created_at": fields.created_at.isoformat(),
        "expires_after_days": fields.expires_after_days,
        "calibration": fields.calibration,
        "own_calibration": own and own.model_dump(mode="json"),
        "exported_at": datetime.now(UTC).isoformat(),
        "subjects": read.subjects,
        "faces": read.faces,
    }


def _subject_line(subject: Subject) -> dict[str, Any]:
    return {
        "id": subject.id,
        "name": subject.name,
        "metadata": subject.metadata,
        "created_at": subject.created_at.isoformat(),
    }


def _face_line(face: MovedFace) -> dict[str, Any]:
    return {
        "id": face.id,
        "subject": face.subject,
        "image_sha256": face.image_sha256,
        "created_at": face.created_at.isoformat(),
        "embedding_base64": base64.b64encode(face.embedding.astype("<f4", copy=False).tobytes()).decode(),
    }
