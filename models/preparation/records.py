"""What preparing goes on from: a record and the embeddings of each shard that is finished.

The record is written last, so a shard that has one has everything.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import ValidationError

from models.files import has, npy, write_atomically
from models.preparation.folder import Part
from models.preparation.shards import Origin, Sample, Stored, Written, pack, write_json
from service.domain import Embeddings

PARTS = "parts"

Reason = Literal["unreadable", "no_face", "duplicate"]


class Dropped(Written):
    """A photograph that is not in the set. why: for a duplicate, the file that is."""

    file: str
    reason: Reason
    why: str


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """A face that may go into the set. embedding: (1, d) float32. pixels: as in `Kept`."""

    origin: Origin
    stored: Stored
    pixels: str
    embedding: Embeddings


class Kept(Written):
    """A face that is in the set. pixels: a checksum of its canvas, by which duplicates are known."""

    key: str
    origin: Origin
    pixels: str


class Record(Written):
    """A finished shard. made_of: of its part (`folder.py`). The checksums are of the tar file and the embeddings."""

    name: str
    made_of: str
    sha256: str
    embeddings_sha256: str
    faces: tuple[Kept, ...]
    dropped: tuple[Dropped, ...]


@dataclass(frozen=True, slots=True)
class Records:
    """The finished shards of a set, each read when it is its turn, so that one at a time is in memory."""

    out: Path
    names: Sequence[str]

    def __iter__(self) -> Iterator[Record]:
        return (read_record(self.out, name) for name in self.names)


def read_record(out: Path, name: str) -> Record:
    """Raises FileNotFoundError or pydantic.ValidationError."""
    return Record.model_validate_json((out / PARTS / f"{name}.json").read_bytes())


def is_finished(out: Path, part: Part) -> bool:
    """Whether the part's shard is there, undamaged, and was made of these very photographs."""
    try:
        record = read_record(out, part.name)
    except (FileNotFoundError, ValidationError):
        return False
    whole = has(out / f"{part.name}.tar", record.sha256) and has(_embeddings(out, part.name), record.embeddings_sha256)
    return whole and record.made_of == part.made_of


def write_shard(out: Path, part: Part, made: Sequence[Made], dropped: Sequence[Dropped]) -> None:
    """The shard, its embeddings, and then its record. Raises OSError, and leaves no half a file."""
    faces = [Kept(key=f"{part.name}-{row:05}", origin=one.origin, pixels=one.pixels) for row, one in enumerate(made)]
    tar = pack(Sample(face.key, one.stored, one.origin) for face, one in zip(faces, made, strict=True))
    rows = [one.embedding for one in made]
    embeddings = npy(np.concatenate(rows) if rows else np.empty((0, 0), np.float32))
    record = Record(
        name=part.name,
        made_of=part.made_of,
        sha256=hashlib.sha256(tar).hexdigest(),
        embeddings_sha256=hashlib.sha256(embeddings).hexdigest(),
        faces=tuple(faces),
        dropped=tuple(dropped),
    )
    write_atomically(out / f"{part.name}.tar", tar)
    write_atomically(_embeddings(out, part.name), embeddings)
    write_json(out / PARTS / f"{part.name}.json", record)


def read_embeddings(out: Path, record: Record) -> Embeddings:
    """(n, d) float32, in the order of the record's faces."""
    embeddings: Embeddings = np.load(_embeddings(out, record.name))
    return embeddings


def _embeddings(out: Path, name: str) -> Path:
    return out / PARTS / f"{name}.npy"
