"""The values that go into the gallery and come out of it."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Generic, Literal, Protocol, TypedDict, TypeVar

import numpy as np
from numpy.typing import NDArray

from service.domain.embedding import Embeddings
from service.domain.errors import ModelMismatch
from service.domain.face import KeptCrop
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
    import_unfinished: whether it is being imported, or an import of it was interrupted.
    """

    id: str
    model_id: str | None
    subjects: int
    faces: int
    created_at: datetime
    expires_after_days: int | None
    calibration: CalibrationSource
    import_unfinished: bool = False


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
class Deleted:
    """What the gallery deleted without a request that names it.

    reason: `expired` at its age, or `not_embedded` by the model that the collection has now.
    subjects: the ids of all subjects that it is about.
    faces, deleted_subjects: how many.
    """

    reason: Literal["expired", "not_embedded"]
    collection: str
    subjects: tuple[str, ...]
    faces: int
    deleted_subjects: int = 0


class GalleryLog(Protocol):
    """What the gallery needs of the audit log."""

    def open(self, noted: tuple[int, bytes] | None) -> AbstractContextManager[None]:
        """Open the log, until the context ends. noted: the line that `durable_head` returned last, or None."""

    def record_deleted(self, deleted: Deleted) -> None:
        """Record what was deleted without a request that names it."""

    def durable_head(self) -> tuple[int, bytes] | None:
        """Return the number and the hash of the last durable line. None if there is no log."""


class NoGalleryLog:
    """For a gallery without an audit log."""

    def open(self, noted: tuple[int, bytes] | None) -> AbstractContextManager[None]:  # noqa: ARG002
        """Open nothing."""
        return nullcontext()

    def record_deleted(self, deleted: Deleted) -> None:
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
    has_crop: whether a part of its photograph is kept.
    """

    number: int
    id: str
    subject: str
    image_sha256: str
    created_at: datetime
    has_crop: bool


@dataclass(frozen=True, slots=True, eq=False)
class FaceToEnrol:
    """A face that is not stored yet.

    image_sha256: the sha256 of the photograph's bytes, in hexadecimal.
    embedding: (d,) float32, unit length.
    crop: what is kept of the photograph. None: nothing.
    """

    image_sha256: str
    embedding: NDArray[np.float32]
    crop: KeptCrop | None = None


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
    other_model_id: the other model of the collection. other_embeddings: (d,) float32 each, by the ids of the faces.
    """

    subject: Subject
    model_id: str | None
    faces: list[EnrolledFace] = field(default_factory=list)
    embeddings: Embeddings | None = None
    other_model_id: str | None = None
    other_embeddings: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


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
