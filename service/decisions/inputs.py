"""What a client can send where an image is expected. An input is exactly one of these four kinds."""

from collections.abc import Sequence
from dataclasses import dataclass


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
