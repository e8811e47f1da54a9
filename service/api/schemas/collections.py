"""/collections."""

from datetime import datetime
from typing import Any, Self

from pydantic import Field

from service.api.schemas.fields import Body, Id
from service.api.schemas.responses import Answer
from service.decisions.error_rates.collection_calibration import MeasuredCollection
from service.gallery.base import Collection
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


class CollectionAnswer(Answer):
    """A collection. `model` is null until the first face binds the collection to a model."""

    id: Id
    model: ModelId | None
    subjects: int
    faces: int
    created_at: datetime
    expires_after_days: int | None = ExpiresAfterDays
    calibration: CalibrationSource = Field(description="whose error rates /identify uses by default")

    @classmethod
    def of(cls, collection: Collection) -> Self:
        """Describe a collection."""
        return cls(
            id=collection.id,
            model=collection.model_id,
            subjects=collection.subjects,
            faces=collection.faces,
            created_at=collection.created_at,
            expires_after_days=collection.expires_after_days,
            calibration=collection.calibration,
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
