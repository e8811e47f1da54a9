"""The seams: the plain data that a gallery takes and gives, and what an index is to it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Generic, Literal, Protocol, TypedDict, TypeVar

import numpy as np
from numpy.typing import NDArray

from service.domain import Embeddings
from service.errors import ModelMismatch

Numbers = NDArray[np.int64]
"""(n,) int64: numbers of faces. The records give each face one and never use it again."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ModelRef:
    """The model that made an embedding. id: its identity, 64 hexadecimal digits. dimension: of its embeddings."""

    id: str
    dimension: int

    def check(self, bound: "ModelRef | None") -> None:
        """bound: the model of a collection's faces, None where it has none. Raises ModelMismatch."""
        if bound is not None and bound != self:
            raise ModelMismatch(
                "The collection's faces were embedded by another model than the one that is loaded (GET /model). "
                "Load that model, or enrol the photographs in another collection."
            )


@dataclass(frozen=True, slots=True)
class Collection:
    """A gallery of its own. model_id: what made its faces' embeddings; None exactly where it has no face."""

    id: str
    model_id: str | None
    subjects: int
    faces: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Subject:
    """A person of a collection. metadata: a JSON object. faces: how many are enrolled. created_at: UTC."""

    id: str
    name: str | None
    metadata: dict[str, Any]
    faces: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewSubject:
    """A person to be recorded. id: None has one made."""

    id: str | None = None
    name: str | None = None
    metadata: dict[str, Any] | None = None


class SubjectChanges(TypedDict, total=False):
    """What a patch changes of a subject; what is absent stays as it is."""

    name: str | None
    metadata: dict[str, Any]


@dataclass(frozen=True, slots=True)
class EnrolledFace:
    """A reference of a collection. number: its key in the index. subject: the id of its person. created_at: UTC."""

    number: int
    id: str
    subject: str
    image_sha256: str
    created_at: datetime


@dataclass(frozen=True, slots=True, eq=False)
class NewFace:
    """A face to be enrolled.

    image_sha256: of the photograph's bytes, in hexadecimal. embedding: (d,) float32, unit length.
    """

    image_sha256: str
    embedding: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The face is stored. face: its new id."""

    status: ClassVar[Literal["enrolled"]] = "enrolled"
    face: str


@dataclass(frozen=True, slots=True)
class Known:
    """The photograph was enrolled for this subject before. face: the id it was given then."""

    status: ClassVar[Literal["known"]] = "known"
    face: str


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The photograph is enrolled for another subject of the collection, so it was not stored. face: that one's id."""

    status: ClassVar[Literal["refused"]] = "refused"
    face: str


Enrolment = Enrolled | Known | Elsewhere
"""What became of one new face."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A subject that a probe may show, by their nearest face. distance: squared L2. subject, face: ids."""

    subject: str
    name: str | None
    distance: float
    face: str


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list. next_cursor: what to pass as `after` for the next part; None after the last."""

    items: list[T]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """The nearest references of each probe, nearest first.

    numbers: (n, k) int64, the faces' numbers. distances: (n, k) float32, squared L2. k is never more than the index
    holds: nothing is padded.
    """

    numbers: NDArray[np.int64]
    distances: NDArray[np.float32]


class VectorIndex(Protocol):
    """Searches the vectors of one collection. Holds nothing that the records do not hold.

    Searches may run beside each other; whoever calls keeps them apart from `add` and `remove`.
    """

    def __len__(self) -> int:
        """How many vectors are in it."""
        ...

    @property
    def numbers(self) -> Numbers:
        """Those of the faces that are in it, in any order."""
        ...

    def add(self, numbers: Numbers, embeddings: Embeddings) -> None:
        """numbers: (n,) int64. embeddings: (n, d) float32, unit length.

        Raises ValueError, and nothing is added, where a number is there twice or the shapes do not fit.
        """
        ...

    def remove(self, numbers: Numbers) -> int:
        """Forgets these; unknown ones are passed over. Returns how many were there."""
        ...

    def search(self, probes: Embeddings, k: int) -> Neighbours:
        """probes: (n, d) float32, unit length. k: at least 1. Raises ValueError where the shape does not fit."""
        ...


class BuildIndex(Protocol):
    """Makes an empty index."""

    def __call__(self, dimension: int) -> VectorIndex:
        """dimension: of the embeddings that it is to hold."""
        ...
