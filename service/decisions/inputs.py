"""What a client can send where an image is expected. An input is exactly one of these four kinds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from service.gallery.base import SubjectToCreate


@dataclass(frozen=True, slots=True)
class PhotographInput:
    """The bytes of a photograph."""

    data: bytes


@dataclass(frozen=True, slots=True)
class EmbeddingInput:
    """An embedding that the client holds. model: the id of the model that made it."""

    embedding: Sequence[float]
    model: str


@dataclass(frozen=True, slots=True)
class FaceInput:
    """An enrolled face."""

    face: str
    collection: str


@dataclass(frozen=True, slots=True)
class SubjectInput:
    """A subject: all faces of the subject."""

    subject: str
    collection: str


StoredInput = EmbeddingInput | FaceInput | SubjectInput
"""An input whose embedding exists already."""

Input = PhotographInput | StoredInput


@dataclass(frozen=True, slots=True, eq=False)
class SentFace:
    """A face of a request. Its vector is not checked yet.

    subject: has an id. It is created if it does not exist.
    vector: (d,) float32 or float64.
    model: the id of the model that made it.
    """

    subject: SubjectToCreate
    vector: np.ndarray[tuple[int], np.dtype[np.float32 | np.float64]]
    model: str
