"""The values that go into the gallery and come out of it."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Generic, Literal, Protocol, TypedDict, TypeVar

import numpy as np
from numpy.typing import NDArray

from service.domain.embedding import Embeddings
from service.domain.errors import ModelMismatch
from service.model_files.calibration import CalibrationSource
from service.model_files.error_rates import FacesOfPeople

FaceNumbers = NDArray[np.int64]
"""(n,) int64. The records give each face a number, and never give a number twice."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """The model that made an embedding.

    id: 64 hexadecimal digits.
    dimension: the dimension of its embeddings.
    """

    id: str
    dimension: int

    def require_same(self, collection_model: "EmbeddingModel | None") -> None:
        """Raise ModelMismatch if another model made the faces of the collection.

        collection_model: None if the collection has no face.
        """
        if collection_model is not None and collection_model != self:
            raise ModelMismatch(
                "The faces of the collection were not embedded by the loaded model (GET /model). "
                "Load the model of the collection, or enrol the photographs in another collection."
            )


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection of subjects.

    model_id: the model that made the embeddings of its faces. None if it has no face.
    expires_after_days: faces are deleted at this age. None: never.
    calibration: which one a search uses if the caller does not say it.
    """

    id: str
    model_id: str | None
    subjects: int
    faces: int
    created_at: datetime
    expires_after_days: int | None
    calibration: CalibrationSource


@dataclass(frozen=True, slots=True, eq=False)
class DrawnPeople:
    """Subjects of a collection that were drawn for a comparison, and their first faces.

    collection: the key of the collection in the records. It is never given again.
    ids: of the subjects, in the order of the comparison.
    subjects: how many subjects have a face. If it is more than the drawn ones, these were drawn at random.
    """

    collection: int
    ids: tuple[str, ...]
    compared: FacesOfPeople
    subjects: int


@dataclass(frozen=True, slots=True)
class Expired:
    """What was deleted because of its age.

    subjects: the ids of all subjects that it is about.
    faces, deleted_subjects: how many.
    """

    collection: str
    subjects: tuple[str, ...]
    faces: int
    deleted_subjects: int


class GalleryLog(Protocol):
    """What the gallery needs of the audit log."""

    def open(self, noted: tuple[int, bytes] | None) -> AbstractContextManager[None]:
        """Open the log, until the context ends. noted: the line that `durable_head` returned last, or None."""

    def record_expired(self, expired: Expired) -> None:
        """Record what was deleted outside a request."""

    def durable_head(self) -> tuple[int, bytes] | None:
        """Return the number and the hash of the last durable line. None if there is no log."""


class NoGalleryLog:
    """For a gallery without an audit log."""

    def open(self, noted: tuple[int, bytes] | None) -> AbstractContextManager[None]:  # noqa: ARG002
        """Open nothing."""
        return nullcontext()

    def record_expired(self, expired: Expired) -> None:
        """Record nothing."""

    def durable_head(self) -> tuple[int, bytes] | None:
        """Return None."""
        return None


NO_GALLERY_LOG = NoGalleryLog()


@dataclass(frozen=True, slots=True)
class Subject:
    """A person in a collection.

    metadata: a JSON object.
    faces: how many faces are enrolled.
    created_at: UTC.
    """

    id: str
    name: str | None
    metadata: dict[str, Any]
    faces: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class SubjectToCreate:
    """A subject that is not stored yet. id: None lets the gallery make one."""

    id: str | None = None
    name: str | None = None
    metadata: dict[str, Any] | None = None


class CollectionChanges(TypedDict, total=False):
    """What changes in a collection. A field that is missing stays as it is.

    expires_after_days: faces are deleted at this age. None: never.
    calibration: which one a search uses if the caller does not say it.
    """

    expires_after_days: int | None
    calibration: CalibrationSource


class SubjectChanges(TypedDict, total=False):
    """The fields of a subject to change. A missing field stays as it is."""

    name: str | None
    metadata: dict[str, Any]


@dataclass(frozen=True, slots=True)
class EnrolledFace:
    """A stored face.

    number: its key in the index.
    subject: the id of the subject.
    created_at: UTC.
    """

    number: int
    id: str
    subject: str
    image_sha256: str
    created_at: datetime


@dataclass(frozen=True, slots=True, eq=False)
class FaceToEnrol:
    """A face that is not stored yet.

    image_sha256: the sha256 of the photograph's bytes, in hexadecimal.
    embedding: (d,) float32, unit length.
    """

    image_sha256: str
    embedding: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class FaceOfSubject:
    """A face that is not stored yet, and its subject, which has an id. It is created if it does not exist."""

    subject: SubjectToCreate
    face: FaceToEnrol


@dataclass(frozen=True, slots=True)
class EnrolledNow:
    """The face was stored. face: its new id."""

    status: ClassVar[Literal["enrolled"]] = "enrolled"
    face: str


@dataclass(frozen=True, slots=True)
class EnrolledBefore:
    """The photograph was already enrolled for this subject. face: the existing id."""

    status: ClassVar[Literal["known"]] = "known"
    face: str


@dataclass(frozen=True, slots=True)
class EnrolledForAnother:
    """The photograph is enrolled for another subject of the collection, so it was not stored. face: the existing id."""

    status: ClassVar[Literal["refused"]] = "refused"
    face: str


EnrolmentOutcome = EnrolledNow | EnrolledBefore | EnrolledForAnother


@dataclass(frozen=True, slots=True)
class SearchQuestion:
    """What searches must have in common to go together. k: the most subjects for each probe."""

    collection: str
    k: int
    model: EmbeddingModel


@dataclass(frozen=True, slots=True)
class Candidate:
    """A subject that a probe may show, and the nearest face of that subject.

    subject, face: ids.
    distance: squared L2.
    """

    subject: str
    name: str | None
    distance: float
    face: str


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list. next_cursor: where the next part starts. None after the last part."""

    items: list[T]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, eq=False)
class StoredSubject:
    """All that is stored of a subject.

    model_id: the model that made the embeddings. None without faces.
    faces: in the order of enrolment.
    embeddings: (n, d) float32, row by row. None without faces.
    """

    subject: Subject
    model_id: str | None
    faces: list[EnrolledFace]
    embeddings: Embeddings | None


@dataclass(frozen=True, slots=True, eq=False)
class References:
    """Enrolled embeddings of one collection, row by row.

    numbers: (n,) int64, ascending.
    subjects: (n,) int64, the key of each face's subject in the records.
    embeddings: (n, d) float32, unit length.
    """

    model: EmbeddingModel
    numbers: FaceNumbers
    subjects: NDArray[np.int64]
    embeddings: Embeddings


@dataclass(frozen=True, slots=True)
class FaceChecksum:
    """What the records and an index must agree on.

    sum_of_subjects: the sum of the keys of the subjects, each as often as the subject has faces.
    """

    faces: int
    sum_of_numbers: int
    sum_of_subjects: int
