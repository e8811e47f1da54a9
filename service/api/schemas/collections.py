"""/collections."""

from datetime import datetime
from typing import Any, Self

from pydantic import Field

from service.api.schemas.fields import Body, Id
from service.api.schemas.responses import Answer
from service.decisions.error_rates.collection_calibration import MeasuredCollection
from service.gallery.base import Collection
from service.gallery.indexes.base import IndexState
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

    Up to 200,000 faces it is exact. A larger one searches compressed faces, and can miss a face.
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
