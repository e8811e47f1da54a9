"""The records of finished shards. A later run continues after the shards that have a record.

The record of a shard is written after its other files. So a shard with a record is complete.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import ValidationError

from models.files import has_sha256, to_npy, write_atomically
from models.preparation.folder import ShardPlan
from models.preparation.shards import EncodedImage, FaceOrigin, JsonModel, ShardSample, pack_shard, write_json
from service.domain.embedding import Embeddings

RECORDS_FOLDER = "parts"

DropReason = Literal["unreadable", "no_face", "duplicate"]


class DroppedPhotograph(JsonModel):
    """A photograph that is not in the face set.

    why: the reason in words. For a duplicate, the file whose canvas is in the face set.
    """

    file: str
    reason: DropReason
    why: str


@dataclass(frozen=True, slots=True, eq=False)
class PreparedFace:
    """A face that goes into the face set unless it is a duplicate.

    image: the encoded canvas.
    pixels_sha256: of the canvas.
    embedding: (1, d) float32.
    """

    origin: FaceOrigin
    image: EncodedImage
    pixels_sha256: str
    embedding: Embeddings


class StoredFace(JsonModel):
    """A face of the face set. pixels: the sha256 of its canvas, which finds duplicates."""

    key: str
    origin: FaceOrigin
    pixels: str


class ShardRecord(JsonModel):
    """A finished shard.

    made_of: see `ShardPlan`.
    sha256: of the tar file.
    embeddings_sha256: of the .npy file.
    """

    name: str
    made_of: str
    sha256: str
    embeddings_sha256: str
    faces: tuple[StoredFace, ...]
    dropped: tuple[DroppedPhotograph, ...]


@dataclass(frozen=True, slots=True)
class ShardRecords:
    """The records of a face set. An iteration reads one record at a time, so only one is in memory."""

    out: Path
    names: Sequence[str]

    def __iter__(self) -> Iterator[ShardRecord]:
        return (read_record(self.out, name) for name in self.names)


def read_record(out: Path, name: str) -> ShardRecord:
    """Read the record of a shard. Raises FileNotFoundError or pydantic.ValidationError."""
    return ShardRecord.model_validate_json((out / RECORDS_FOLDER / f"{name}.json").read_bytes())


def is_finished(out: Path, plan: ShardPlan) -> bool:
    """Return whether the shard is complete and undamaged, and was made of the photographs of the plan."""
    try:
        record = read_record(out, plan.name)
    except (FileNotFoundError, ValidationError):
        return False
    return (
        has_sha256(out / f"{plan.name}.tar", record.sha256)
        and has_sha256(_embeddings_file(out, plan.name), record.embeddings_sha256)
        and record.made_of == plan.made_of
    )


def write_shard(
    out: Path, plan: ShardPlan, faces: Sequence[PreparedFace], dropped: Sequence[DroppedPhotograph]
) -> None:
    """Write the shard, its embeddings, and then its record. Raises OSError. No file is ever written in part."""
    stored_faces = [
        StoredFace(key=f"{plan.name}-{row:05}", origin=face.origin, pixels=face.pixels_sha256)
        for row, face in enumerate(faces)
    ]
    tar = pack_shard(
        ShardSample(stored.key, face.image, face.origin) for stored, face in zip(stored_faces, faces, strict=True)
    )
    rows = [face.embedding for face in faces]
    embeddings = to_npy(np.concatenate(rows) if rows else np.empty((0, 0), np.float32))
    record = ShardRecord(
        name=plan.name,
        made_of=plan.made_of,
        sha256=hashlib.sha256(tar).hexdigest(),
        embeddings_sha256=hashlib.sha256(embeddings).hexdigest(),
        faces=tuple(stored_faces),
        dropped=tuple(dropped),
    )
    write_atomically(out / f"{plan.name}.tar", tar)
    write_atomically(_embeddings_file(out, plan.name), embeddings)
    write_json(out / RECORDS_FOLDER / f"{plan.name}.json", record)


def read_embeddings(out: Path, record: ShardRecord) -> Embeddings:
    """Return (n, d) float32, in the order of the faces of the record."""
    embeddings: Embeddings = np.load(_embeddings_file(out, record.name))
    return embeddings


def _embeddings_file(out: Path, name: str) -> Path:
    return out / RECORDS_FOLDER / f"{name}.npy"
