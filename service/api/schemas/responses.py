"""Parts that several responses share. Distances are squared L2, in [0, 4]. A missing value is null."""

from collections.abc import Sequence
from typing import Annotated, Self

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from service.domain.face import Box, Face
from service.domain.image import Notice
from service.domain.quality import FaceQuality, QualityReason
from service.model_files.card import CompatibleModel, EmbedderCard, ModelId


class Answer(BaseModel):
    """The base of all responses."""

    model_config = ConfigDict(frozen=True)


Distance = Annotated[float, AfterValidator(lambda sq_l2: round(sq_l2, 6))]
"""A squared L2 distance, in [0, 4], rounded to six decimals. A float32 is not more exact."""


Score = Annotated[
    float,
    AfterValidator(lambda score: round(score, 1)),
    Field(
        ge=0,
        le=100,
        description="the distance as a number from 0 to 100. 50 is the threshold. Each 10 points more, two people come "
        "this near ten times less often",
    ),
]
"""A score as people read it. The decision compares the distance, so a score of 50.0 can be on either side."""

Rate = Annotated[float, AfterValidator(lambda rate: float(f"{rate:.3g}"))]
"""An error rate with three digits. It was not measured more exactly."""


class ModelAnswer(Answer):
    """The embedder that made the answer."""

    name: str
    id: ModelId
    dimension: int

    @classmethod
    def of(cls, card: EmbedderCard) -> Self:
        """Describe the loaded model. card: its card."""
        return cls(name=card.name, id=card.id, dimension=card.dimension)

    @classmethod
    def of_compatible(cls, model: CompatibleModel | None, card: EmbedderCard) -> Self | None:
        """Describe a compatible model, if there is one. card: of the loaded model. Both have the same dimension."""
        return cls(name=model.name, id=model.id, dimension=card.dimension) if model else None


ComparedWith = Annotated[
    ModelAnswer | None,
    Field(
        description="the compatible model that made one side of the comparison. The threshold is then one that was "
        "measured between the two models. Null if `model` made both sides"
    ),
]

WARNINGS = {
    Notice.FIRST_FRAME_ONLY: "The file has several pictures. The first was used.",
    Notice.CONVERTED_COLOURS: "The colours were converted to 8-bit RGB. Transparent pixels became white.",
    Notice.SEVERAL_FACES: "The photograph shows several faces. The main face was used.",
    Notice.FACES_LEFT_OUT: "The photograph shows more faces than the limit. Those with the highest scores were used.",
    Notice.TURNED: "A face is not upright in the photograph. It was turned first. `roll` has the angle.",
    Notice.LOW_QUALITY: "The quality of a face is low, so comparisons are not reliable. `quality.reasons` says why.",
    Notice.END_MISSING: "The end of the JPEG is missing. All of its pixels are there, so it was used.",
}


class WarningAnswer(Answer):
    """Something that was changed or left out in an image."""

    code: Notice
    detail: str


def warnings_of(notices: Sequence[Notice]) -> list[WarningAnswer]:
    """Return each notice with its sentence."""
    return [WarningAnswer(code=notice, detail=WARNINGS[notice]) for notice in notices]


class BoxAnswer(Answer):
    """A rectangle in pixels of the upright image. (x, y) is the upper left corner."""

    x: float
    y: float
    width: float
    height: float

    @classmethod
    def of(cls, box: Box) -> Self:
        """Round to a hundredth of a pixel."""
        return cls(x=round(box.x, 2), y=round(box.y, 2), width=round(box.width, 2), height=round(box.height, 2))


Point = tuple[float, float]


class MeasuresAnswer(Answer):
    """What was measured of a face. `detection_score` and `roll_deg` are those of the face."""

    face_width_px: float = Field(description="the width of the face, in pixels of the photograph")
    sharpness: float = Field(description="the share of fine detail in the contrast. A sharp face has 0.1 to 0.3")
    brightness: float = Field(description="the mean luminance, in [0, 1]")
    contrast: float = Field(description="the standard deviation of the luminance, in [0, 0.5]")
    yaw_deg: float = Field(description="about how far the head is turned away. Positive: to the right of the image")
    roll_deg: float
    share_inside: float = Field(description="the part of the box that is inside the photograph, in [0, 1]")
    detection_score: float
    landmark_score: float = Field(
        description="how sure the landmark network is that this is a face, in [0, 1]. 1 if it does not run"
    )


class QualityAnswer(Answer):
    """How well a face can be compared."""

    score: float | None = Field(
        description="in [0, 1]: how likely the face is to match a good photograph of the same person. Null if the card "
        "of the model does not say how to compute it"
    )
    reasons: list[QualityReason] = Field(description="what is wrong with the face. It can be empty")
    measures: MeasuresAnswer

    @classmethod
    def of(cls, quality: FaceQuality) -> Self:
        """Round the measures to four digits after the point, as the score is."""
        measures = {name: round(getattr(quality.measures, name), 4) for name in MeasuresAnswer.model_fields}
        return cls(score=quality.score, reasons=list(quality.reasons), measures=MeasuresAnswer(**measures))


class FaceAnswer(Answer):
    """Where a face is. All fields are null if an embedding was given instead of a photograph."""

    box: BoxAnswer | None
    landmarks: tuple[Point, Point, Point, Point, Point] | None = Field(
        description="the person's right eye, left eye, nose tip, right and left corner of the mouth"
    )
    detection_score: float | None
    roll: float | None = Field(
        description="the rotation of the head in the image in degrees, clockwise, in (-180, 180]. 0 is upright"
    )
    quality: QualityAnswer | None

    @classmethod
    def of(cls, face: Face | None) -> Self:
        """Describe a face. None stands for an input without a photograph."""
        return cls(**face_fields(face))


def face_fields(face: Face | None) -> dict[str, object]:
    """Return the fields of a FaceAnswer, for responses that add fields to it."""
    if face is None:
        return dict.fromkeys(FaceAnswer.model_fields)
    return {
        "box": BoxAnswer.of(face.box),
        "landmarks": np.round(face.landmarks.astype(np.float64), 2).tolist(),
        "detection_score": round(face.detection_score, 4),
        "roll": round(face.roll_deg, 1),
        "quality": QualityAnswer.of(face.quality) if face.quality else None,
    }
