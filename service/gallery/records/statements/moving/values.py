"""The values of a collection that is read or stored as a whole."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from service.gallery.base import EmbeddingModel, Subject
from service.model_files.calibration import CalibrationSource
from service.model_files.own_calibration import CollectionCalibration


@dataclass(frozen=True, slots=True)
class CollectionFields:
    """What a collection has beside its subjects and faces.

    model: the model that made its faces. None if it has no face.
    calibration: which one a search uses. own_calibration: what was measured. None if nothing was.
    """

    model: EmbeddingModel | None
    created_at: datetime
    expires_after_days: int | None
    calibration: CalibrationSource
    own_calibration: CollectionCalibration | None


@dataclass(frozen=True, slots=True, eq=False)
class MovedFace:
    """A face as it is in a file. subject: the id. embedding: (d,) float32."""

    id: str
    subject: str
    image_sha256: str
    created_at: datetime
    embedding: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FileCounts:
    """How many subjects and faces a file has."""

    subjects: int
    faces: int


@dataclass(frozen=True, slots=True, eq=False)
class ImportPart:
    """A part of a file whose lines were read and checked, each alone.

    lines: the bytes that the checksum is about. checksum: as the part has it.
    first: the fields of the collection. None if it is not the first part.
    end: what the last line says. None if it is not the last part.
    """

    lines: bytes | bytearray
    checksum: str
    first: CollectionFields | None
    subjects: Sequence[Subject]
    faces: Sequence[MovedFace]
    end: FileCounts | None


@dataclass(frozen=True, slots=True)
class Imported:
    """How far an import is. checksum: of the part that was stored last. counts: what is stored."""

    checksum: str
    counts: FileCounts
    is_finished: bool


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """How far an import is. It is stored with the collection until the import is finished.

    first, last: the checksums of the first part of the file, and of the one that was stored last.
    subjects, faces: how many are stored.
    model_id, dimension: of the faces. None if the file has none.
    """

    first: str
    last: str
    subjects: int
    faces: int
    model_id: str | None
    dimension: int | None

    @property
    def model(self) -> EmbeddingModel | None:
        """The model of the faces."""
        return (
            None if self.model_id is None or self.dimension is None else EmbeddingModel(self.model_id, self.dimension)
        )


def checksum_of(previous: str, lines: bytes | bytearray) -> str:
    """Return the checksum after these lines. previous: the one before them. It is empty for the first."""
    return hashlib.sha256(previous.encode("ascii") + lines).hexdigest()
