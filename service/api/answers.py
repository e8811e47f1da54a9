"""What goes out, field by field. Distances are squared L2 in [0, 4]; a missing value is null."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from service.api.fields import ModelId
from service.card import Compatible, EmbedderCard, PairThresholds, Thresholds
from service.domain import Box, Embeddings, Face, Notice


class Answer(BaseModel):
    """The root of all answers."""

    model_config = ConfigDict(frozen=True)


Distance = Annotated[float, AfterValidator(lambda sq_l2: round(sq_l2, 6))]
"""Squared L2, in [0, 4]; a float32 holds no more digits than these."""


class ModelAnswer(Answer):
    """The embedder that made the answer."""

    name: str
    id: ModelId
    dimension: int

    @classmethod
    def of(cls, card: EmbedderCard) -> Self:
        """From its card."""
        return cls(name=card.name, id=card.id, dimension=card.dimension)

    @classmethod
    def compatible(cls, other: Compatible | None, card: EmbedderCard) -> Self | None:
        """The other one of two compatible models, of which `card` is the loaded one's; None where there is none."""
        return cls(name=other.name, id=other.id, dimension=card.dimension) if other else None


NOTICES = {
    Notice.FIRST_FRAME_ONLY: "The file holds several pictures; the first one was used.",
    Notice.CONVERTED_COLOURS: "The colours were converted to 8-bit RGB; transparency was laid on white.",
    Notice.SEVERAL_FACES: "The photograph shows several faces; the main one was used.",
    Notice.FACES_LEFT_OUT: "The photograph shows more faces than are taken of one; the most certain ones were used.",
}


class WarningAnswer(Answer):
    """What was done to an image that its sender should know."""

    code: Notice
    detail: str


def warnings_of(notices: Sequence[Notice]) -> list[WarningAnswer]:
    """Each with its sentence."""
    return [WarningAnswer(code=notice, detail=NOTICES[notice]) for notice in notices]


class BoxAnswer(Answer):
    """In pixels of the upright image; (x, y) is the upper left corner."""

    x: float
    y: float
    width: float
    height: float

    @classmethod
    def of(cls, box: Box) -> Self:
        """To a hundredth of a pixel."""
        return cls(x=round(box.x, 2), y=round(box.y, 2), width=round(box.width, 2), height=round(box.height, 2))


Point = tuple[float, float]


class FaceAnswer(Answer):
    """Where a face is. Nulls where an embedding was given instead of a photograph."""

    box: BoxAnswer | None
    landmarks: tuple[Point, Point, Point, Point, Point] | None = Field(
        description="the subject's right eye, left eye, nose tip, right and left corner of the mouth"
    )
    detection_score: float | None

    @classmethod
    def of(cls, face: Face | None) -> Self:
        """Of a face that was seen, or not."""
        return cls(**face_fields(face))


def face_fields(face: Face | None) -> dict[str, object]:
    """The fields of a FaceAnswer, for answers that say more of a face."""
    if face is None:
        return {"box": None, "landmarks": None, "detection_score": None}
    points = np.round(face.landmarks.astype(np.float64), 2).tolist()
    return {"box": BoxAnswer.of(face.box), "landmarks": points, "detection_score": round(face.score, 4)}


class HealthAnswer(Answer):
    """Alive, or ready."""

    status: Literal["alive", "ready"]


class CompatibleAnswer(Answer):
    """Another model whose embeddings may be compared with the loaded one's, and the thresholds between the two."""

    name: str
    id: ModelId
    threshold: float = Field(description="of /verify")
    identification_threshold: float | None

    @classmethod
    def of(cls, other: Compatible) -> Self:
        """From its entry in the loaded model's card."""
        return cls(
            name=other.name,
            id=other.id,
            threshold=other.thresholds.verification,
            identification_threshold=identification_threshold(other.thresholds),
        )


class LoadedModelAnswer(ModelAnswer):
    """The loaded embedder, as its card describes it."""

    architecture: str
    licence: str
    training: str
    threshold: float = Field(description="of /verify")
    identification_threshold: float | None
    compatible_with: list[CompatibleAnswer] = Field(
        description="whose embeddings are taken too, and whose collections are searched; enrolling stays their own"
    )


def identification_threshold(thresholds: Thresholds | PairThresholds) -> float | None:
    """None where it was not measured."""
    return thresholds.identification.threshold_sq_l2 if thresholds.identification else None


def vectors(embeddings: Embeddings) -> list[list[float]]:
    """As JSON numbers that read back to the same float32."""
    return embeddings.astype(np.float64).tolist()  # type: ignore[no-any-return]  # a list of lists by the shape
