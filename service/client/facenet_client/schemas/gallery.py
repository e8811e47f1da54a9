"""The answers of /collections, and of all below it.

This file is written by write_schemas.py.
"""

from datetime import datetime
from typing import Any, Literal

from pydantic import SkipValidation

from facenet_client.schemas.base import Answer
from facenet_client.schemas.shared import (
    Calibration,
    EnrolmentResult,
    ModelAnswer,
)


class LineResult(Answer):
    """The outcome for one line of a bulk enrolment. A field without a value is left out.

    `face` is the new id or, if the embedding is known already, the existing one.
    """

    line: int
    """the number of the line, from 1"""
    status: SkipValidation[Literal["enrolled", "known", "refused"]]
    face: str | None = None
    code: str | None = None
    detail: str | None = None


class AgreementAnswer(Answer):
    """A comparison of the index with exact search. It is made every hour, and soon after the index was rewritten."""

    faces: int
    """how many enrolled faces were drawn at random"""
    share: float
    """of how many of them the index found the nearest other face"""
    measured_at: datetime


class LowestFpir(Answer):
    """The lowest `max_fpir` that can be asked for with the faces that are enrolled now. It grows with them."""

    own: float
    """with calibration=own. 1 means that no rate can be asked for"""
    of_model: float | None
    """with calibration=model. Null if the card has no calibration"""


class CalibrationAnswer(Answer):
    """A collection's own calibration, beside that of the model."""

    own: Calibration
    """the error rates between the subjects of the collection"""
    of_model: Calibration | None
    """the error rates in the card of the loaded model. Null without"""
    model: str
    """the model whose embeddings were compared. For another model, it is not used"""
    measured_at: datetime
    subjects: int
    """how many subjects had a face. If there are more than 1,000, or more than 4,000 faces are to be compared, some
    subjects are drawn at random
    """
    copies: int
    """how many faces were set aside because they are copies of another photograph"""
    duplicate_subjects: int
    """how many subjects were set aside because they look like another subject. If they are other people, the error
    rates are higher than `own` says
    """
    faces: int
    """how many faces are enrolled in the collection now"""
    lowest_fpir: LowestFpir


class IndexAnswer(Answer):
    """The index of a collection in memory.

    Up to 50,000 faces it is exact. A larger one searches compressed faces, and can miss a face.
    """

    exact: bool
    agreement: AgreementAnswer | None
    """null if the index is exact, or was not compared yet"""


class CollectionAnswer(Answer):
    """A collection. `model` is null until the first face binds the collection to a model."""

    id: str
    model: str | None
    subjects: int
    faces: int
    created_at: datetime
    expires_after_days: int | None = None
    """faces, and subjects without faces, are deleted when they are this old. Null: never"""
    calibration: SkipValidation[Literal["model", "own"]]
    """whose error rates /identify uses by default"""
    import_unfinished: bool
    """whether it is being imported, or its import was interrupted. Until the end, it is not searched"""
    index: IndexAnswer | None
    """null while it is not in memory: it has no face, was not used for a while, or is being built"""


class CollectionsAnswer(Answer):
    """A page of collections."""

    items: tuple[CollectionAnswer, ...]
    next_cursor: str | None


class EnrolledFaceAnswer(Answer):
    """An enrolled face. The photograph itself is not kept."""

    id: str
    subject: str
    image_sha256: str
    created_at: datetime
    has_crop: bool
    """whether the part of the photograph around the face is kept: GET its /crop"""


class EnrolmentAnswer(Answer):
    """One result for each image, in the order of the request."""

    results: tuple[EnrolmentResult, ...]
    model: ModelAnswer


class ExportedFace(EnrolledFaceAnswer):
    """A face with its embeddings, and what is kept of its photograph."""

    embedding: tuple[float, ...]
    other_embedding: tuple[float, ...] | None
    """the embedding by `other_model`. Null if there is none"""
    crop_base64: str | None
    """a JPEG, in base64. Null if nothing is kept, or if it is damaged"""


class FacesAnswer(Answer):
    """A page of faces."""

    items: tuple[EnrolledFaceAnswer, ...]
    next_cursor: str | None


class ImportAnswer(Answer):
    """How far an import is."""

    checksum: str
    """of the part that was stored last. Continue with the part after it"""
    subjects: int
    """how many are stored"""
    faces: int
    finished: bool


class SubjectAnswer(Answer):
    """A person in a collection."""

    id: str
    name: str | None
    metadata: dict[str, Any]
    faces: int
    created_at: datetime


class MergeAnswer(Answer):
    """The subject after a merge, and how many faces came from the deleted subject."""

    subject: SubjectAnswer
    moved: int


class NewCalibrationAnswer(CalibrationAnswer):
    """A new calibration, and the subjects that look like one person."""

    duplicates: tuple[tuple[str, str], ...]
    """at most 100 pairs of subjects that look like one person. Of each, the second was set aside"""


class ReembeddingAnswer(Answer):
    """How many faces of a collection have an embedding by another model, beside the one in use."""

    model: str
    """the other model"""
    faces: int
    done: int
    """how many faces have an embedding by the other model"""
    waiting: int
    """how many faces are still to be embedded by it"""
    without_crop: int
    """how many faces cannot be embedded, because no crop is kept. If their photographs are enrolled again with
    FACE_GALLERY__KEEP_CROPS=yes, they can be
    """
    unusable: int
    """how many faces have a crop that cannot be read"""
    complete: bool
    """whether all faces have one, so that the model of the collection can be changed"""


class SubjectExport(Answer):
    """All that is stored about a subject (GDPR, article 15)."""

    collection: str
    subject: SubjectAnswer
    model: str | None
    """the model that made the embeddings. Null without faces"""
    other_model: str | None
    """the other model of the collection. Null if it has none, or without faces"""
    faces: tuple[ExportedFace, ...]
    audit: tuple[dict[str, Any], ...]
    """the lines of the audit log about the subject, without what is about others in the same line"""


class SubjectsAnswer(Answer):
    """A page of subjects."""

    items: tuple[SubjectAnswer, ...]
    next_cursor: str | None
