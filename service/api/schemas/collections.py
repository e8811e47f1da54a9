"""/collections, and the lines of the file of a collection."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import AfterValidator, AwareDatetime, Field, TypeAdapter

from service.api.schemas.faces import FLOAT32, Base64
from service.api.schemas.fields import Body, Id, Metadata, Name
from service.api.schemas.responses import Answer
from service.decisions.error_rates.collection_calibration import MeasuredCollection
from service.domain.errors import InvalidLine
from service.gallery.base import Collection, EmbeddingModel, Subject
from service.gallery.records.statements.moving.values import CollectionFields as StoredFields
from service.gallery.records.statements.moving.values import Imported, MovedFace
from service.gallery.search_values import IndexState
from service.model_files.calibration import Calibration, CalibrationSource
from service.model_files.card import EmbedderCard, ModelId
from service.model_files.own_calibration import CollectionCalibration

ExpiresAfterDays = Field(
    None,
    ge=1,
    le=36_500,
    strict=True,
    description="faces, and subjects without faces, are deleted when they are this old. Null: never",
)


class CollectionFields(Body):
    """How long a collection keeps faces."""

    expires_after_days: int | None = ExpiresAfterDays


class CollectionChanges(CollectionFields):
    """What changes in a collection. A field that is not sent stays as it is."""

    calibration: CalibrationSource = Field(
        "model",
        description="whose error rates /identify uses by default: those of the `model`, or the collection's `own`",
    )


class AgreementAnswer(Answer):
    """A comparison of the index with exact search. It is made every hour, and soon after the index was rewritten."""

    faces: int = Field(description="how many enrolled faces were drawn at random")
    share: float = Field(ge=0, le=1, description="of how many of them the index found the nearest other face")
    measured_at: datetime


class IndexAnswer(Answer):
    """The index of a collection in memory.

    Up to 50,000 faces it is exact. A larger one searches compressed faces, and can miss a face.
    """

    exact: bool
    agreement: AgreementAnswer | None = Field(description="null if the index is exact, or was not compared yet")

    @classmethod
    def of(cls, state: IndexState) -> Self:
        """Describe an index."""
        one = state.agreement
        measured = one and AgreementAnswer(faces=one.faces, share=one.share, measured_at=one.measured_at)
        return cls(exact=state.is_exact, agreement=measured)


class CollectionAnswer(Answer):
    """A collection. `model` is null until the first face binds the collection to a model."""

    id: Id
    model: ModelId | None
    subjects: int
    faces: int
    created_at: datetime
    expires_after_days: int | None = ExpiresAfterDays
    calibration: CalibrationSource = Field(description="whose error rates /identify uses by default")
    import_unfinished: bool = Field(
        description="whether it is being imported, or its import was interrupted. Until the end, it is not searched"
    )
    index: IndexAnswer | None = Field(
        description="null while it is not in memory: it has no face, was not used for a while, or is being built"
    )

    @classmethod
    def of(cls, collection: Collection, state: IndexState | None) -> Self:
        """Describe a collection. state: of its index, if it is in memory."""
        return cls(
            id=collection.id,
            model=collection.model_id,
            subjects=collection.subjects,
            faces=collection.faces,
            created_at=collection.created_at,
            expires_after_days=collection.expires_after_days,
            calibration=collection.calibration,
            import_unfinished=collection.import_unfinished,
            index=None if state is None else IndexAnswer.of(state),
        )


class CollectionsAnswer(Answer):
    """A page of collections."""

    items: list[CollectionAnswer]
    next_cursor: str | None


MAX_DUPLICATES = 100
"""How many pairs of subjects an answer names at most."""


class LowestFpir(Answer):
    """The lowest `max_fpir` that can be asked for with the faces that are enrolled now. It grows with them."""

    own: float = Field(description="with calibration=own. 1 means that no rate can be asked for")
    of_model: float | None = Field(description="with calibration=model. Null if the card has no calibration")


class CalibrationAnswer(Answer):
    """A collection's own calibration, beside that of the model."""

    own: Calibration = Field(description="the error rates between the subjects of the collection")
    of_model: Calibration | None = Field(description="the error rates in the card of the loaded model. Null without")
    model: ModelId = Field(description="the model whose embeddings were compared. For another model, it is not used")
    measured_at: datetime
    subjects: int = Field(
        description="how many subjects had a face. If there are more than 1,000, or more than 4,000 faces are to be "
        "compared, some subjects are drawn at random"
    )
    copies: int = Field(description="how many faces were set aside because they are copies of another photograph")
    duplicate_subjects: int = Field(
        description="how many subjects were set aside because they look like another subject. If they are other "
        "people, the error rates are higher than `own` says"
    )
    faces: int = Field(description="how many faces are enrolled in the collection now")
    lowest_fpir: LowestFpir

    @classmethod
    def of(cls, measured: CollectionCalibration, card: EmbedderCard, faces: int) -> Self:
        """Describe a stored calibration. faces: how many are enrolled now."""
        return cls(**_fields(measured, card, faces))


class NewCalibrationAnswer(CalibrationAnswer):
    """A new calibration, and the subjects that look like one person."""

    duplicates: list[tuple[Id, Id]] = Field(
        description="at most 100 pairs of subjects that look like one person. Of each, the second was set aside"
    )

    @classmethod
    def of_new(cls, found: MeasuredCollection, card: EmbedderCard, faces: int) -> Self:
        """Describe what was measured now. faces: how many are enrolled now."""
        return cls(**_fields(found.stored, card, faces), duplicates=list(found.duplicates[:MAX_DUPLICATES]))


def _fields(measured: CollectionCalibration, card: EmbedderCard, faces: int) -> dict[str, Any]:
    return {
        "own": measured.table,
        "of_model": card.calibration,
        "model": measured.model_id,
        "measured_at": measured.measured_at,
        "subjects": measured.subjects,
        "copies": measured.copies,
        "duplicate_subjects": measured.duplicates,
        "faces": faces,
        "lowest_fpir": LowestFpir(
            own=measured.table.lowest_fpir(faces),
            of_model=card.calibration.lowest_fpir(faces) if card.calibration else None,
        ),
    }


Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Time = Annotated[AwareDatetime, AfterValidator(lambda time: time.astimezone(UTC))]


class CollectionLine(Body):
    """The first line of a collection's file. Other lines have the `type` subject, face, checksum and end.

    `docs/moving.md` describes them. Each request has one part of the file: it ends with a line of a checksum, or with
    the last line.
    """

    type: Literal["collection"]
    format: Literal["facenet collection"]
    version: Literal[1]
    id: Id = Field(description="the collection that was exported. The path names the one that it becomes")
    model: ModelId | None = Field(description="the model that made the embeddings. Null without faces")
    dimension: int | None = Field(ge=2, le=4096)
    created_at: Time
    expires_after_days: int | None = ExpiresAfterDays
    calibration: CalibrationSource
    own_calibration: CollectionCalibration | None = Field(description="the collection's own. Null if it has none")
    exported_at: Time
    subjects: int = Field(ge=0, description="how many there were at the beginning of the export")
    faces: int = Field(ge=0)

    def to_fields(self) -> StoredFields:
        """Return what is stored. Raises InvalidLine."""
        if (self.model is None) != (self.dimension is None):
            raise InvalidLine("`model` and `dimension` are null together, or not at all.")
        if self.calibration == "own" and self.own_calibration is None:
            raise InvalidLine("`calibration` is `own`, and there is no `own_calibration`.")
        model = EmbeddingModel(self.model, self.dimension) if self.model and self.dimension else None
        return StoredFields(model, self.created_at, self.expires_after_days, self.calibration, self.own_calibration)


class SubjectLine(Body):
    """A subject."""

    type: Literal["subject"]
    id: Id
    name: Name | None
    metadata: Metadata
    created_at: Time

    def to_subject(self) -> Subject:
        """Return what is stored."""
        return Subject(self.id, self.name, self.metadata, 0, self.created_at)


class MovedFaceLine(Body):
    """A face of a subject that occurs before it."""

    type: Literal["face"]
    id: Id
    subject: Id
    image_sha256: Sha256
    created_at: Time
    embedding_base64: Base64

    def to_face(self) -> MovedFace:
        """Return what is stored. Raises InvalidLine."""
        if len(self.embedding_base64) % FLOAT32.itemsize:
            raise InvalidLine("`embedding_base64` has a part of a float32. Encode 4 bytes for each number.")
        embedding = np.frombuffer(self.embedding_base64, FLOAT32)
        return MovedFace(self.id, self.subject, self.image_sha256, self.created_at, embedding)


class ChecksumLine(Body):
    """The end of a part."""

    type: Literal["checksum"]
    sha256: Sha256


class EndLine(Body):
    """The last line."""

    type: Literal["end"]
    subjects: int = Field(ge=0)
    faces: int = Field(ge=0)
    sha256: Sha256


FileLine = CollectionLine | SubjectLine | MovedFaceLine | ChecksumLine | EndLine
FILE_LINE: TypeAdapter[FileLine] = TypeAdapter(Annotated[FileLine, Field(discriminator="type")])


class ImportAnswer(Answer):
    """How far an import is."""

    checksum: Sha256 = Field(description="of the part that was stored last. Continue with the part after it")
    subjects: int = Field(description="how many are stored")
    faces: int
    finished: bool

    @classmethod
    def of(cls, imported: Imported) -> Self:
        """Describe an import."""
        counts = imported.counts
        return cls(
            checksum=imported.checksum, subjects=counts.subjects, faces=counts.faces, finished=imported.is_finished
        )
