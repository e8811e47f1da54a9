"""A file with the segments of a collection, so that a start need not make them again.

It is never the truth. The records say which faces there are. A file that is damaged, of another collection, gallery or
version is not used. The segments are then made from the records.

A file of another model has no face of the records, because no number of a face is ever given again.

The file: a line of JSON (`_Header`), then each segment, then the BLAKE2b checksum of all that. FAISS itself checks
nothing: it loads a file with a wrong byte without a word.
"""

import hashlib
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import faiss
import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from service.gallery.indexes.segments.segment import Segment

LOG = structlog.get_logger(__name__)
VERSION = 1
SUFFIX = ".segments"
MAX_HEADER_BYTES = 100_000
CHECKSUM_BYTES = 32
CHUNK_BYTES = 2**23
PRIVATE = 0o600


class _Header(BaseModel):
    """What the file holds. gallery: its id. collection: its key in the records. rows: of each segment."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int = VERSION
    faiss: str = faiss.__version__
    gallery: str
    collection: int
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SnapshotFile:
    """The snapshot of one collection.

    path: of the file. gallery: the id of the gallery. collection: its key in the records, which is never given again.
    """

    path: Path
    gallery: str
    collection: int

    def read(self) -> list[Segment]:
        """Return the segments. There are none if there is no file, or if it cannot be used."""
        try:
            with self.path.open("rb") as file:
                return self._read(file)
        except FileNotFoundError:
            return []
        except Exception as error:  # noqa: BLE001  # FAISS raises several types
            LOG.warning("snapshot_not_used", reason=str(error) if type(error) is ValueError else type(error).__name__)
            return []

    def write(self, segments: Sequence[Segment]) -> None:
        """Write the segments. After a power failure, the file is complete or as it was before. Raises OSError.

        Searches and changes go on meanwhile. So the codes of a face that is deleted meanwhile can be in the file.
        """
        header = self._header([segment.rows for segment in segments])
        self.path.parent.mkdir(mode=0o700, exist_ok=True)
        part = self.path.with_suffix(".part")
        try:
            part.unlink(missing_ok=True)
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE), "wb") as file:
                _write(file, header, segments)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self.path)
        finally:
            part.unlink(missing_ok=True)

    def remove(self) -> None:
        """Delete the file if there is one. Raises OSError."""
        self.path.unlink(missing_ok=True)

    def _read(self, file: BinaryIO) -> list[Segment]:
        """Return the segments. Raises ValueError if the file is damaged or of something else."""
        try:
            found = _Header.model_validate_json(file.readline(MAX_HEADER_BYTES))
        except ValidationError:
            raise ValueError("its first line is damaged, or of another version") from None
        if found != self._header(found.rows):
            raise ValueError("it is of another collection, gallery or version")
        start = file.tell()
        file.seek(0)
        _require_checksum(file)
        file.seek(start)
        return [Segment.load(file.read, rows) for rows in found.rows]

    def _header(self, rows: Sequence[int]) -> _Header:
        return _Header(gallery=self.gallery, collection=self.collection, rows=tuple(rows))


def _write(file: BinaryIO, header: _Header, segments: Sequence[Segment]) -> None:
    checksum = hashlib.blake2b(digest_size=CHECKSUM_BYTES)

    def write(data: bytes) -> None:
        checksum.update(data)
        file.write(data)

    write(header.model_dump_json().encode() + b"\n")
    for segment in segments:
        segment.save(write)
    file.write(checksum.digest())


def _require_checksum(file: BinaryIO) -> None:
    """Raise ValueError if the file does not end with its checksum."""
    checksum = hashlib.blake2b(digest_size=CHECKSUM_BYTES)
    for chunk in _chunks(file, os.fstat(file.fileno()).st_size - CHECKSUM_BYTES):
        checksum.update(chunk)
    if file.read(CHECKSUM_BYTES) != checksum.digest():
        raise ValueError("it is damaged")


def _chunks(file: BinaryIO, count: int) -> Iterator[bytes]:
    while count > 0:
        chunk = file.read(min(CHUNK_BYTES, count))
        if not chunk:
            return
        count -= len(chunk)
        yield chunk


@dataclass(frozen=True, slots=True)
class SnapshotFolder:
    """The snapshots of all collections. gallery: the id of the gallery."""

    path: Path
    gallery: str

    def file_of(self, collection: int) -> SnapshotFile:
        """Return the snapshot of a collection. collection: its key in the records."""
        return SnapshotFile(self.path / f"{collection}{SUFFIX}", self.gallery, collection)

    def keep_only(self, collections: Collection[int]) -> None:
        """Delete the snapshots of all other collections, and what a killed service left. Raises OSError."""
        kept = {self.file_of(collection).path for collection in collections}
        for file in [*self.path.glob(f"*{SUFFIX}"), *self.path.glob("*.part")]:
            if file not in kept and file.is_file():
                file.unlink(missing_ok=True)
