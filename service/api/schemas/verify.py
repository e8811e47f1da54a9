"""POST /verify."""

from pydantic import Field

from service.api.schemas.fields import Body, MaxRate, Options, Threshold
from service.api.schemas.images import ImageInput
from service.api.schemas.responses import (
    Answer,
    ComparedWith,
    Distance,
    FaceAnswer,
    ModelAnswer,
    Rate,
    Score,
    WarningAnswer,
)
from service.decisions.error_rates.thresholds import RequestedThreshold, requested_threshold


class VerifyBody(Body):
    """Two images."""

    image_a: ImageInput
    image_b: ImageInput


class VerifyOptions(Options):
    """The query of /verify."""

    threshold: Threshold | None = Field(
        None,
        description="the squared L2 distance below which two faces match, in [0, 4]. Default: the model's threshold "
        "for /verify",
        examples=[1.1],
    )
    max_fmr: MaxRate | None = Field(
        None,
        description="in place of `threshold`: how often two people may match, such as 0.001 for one pair in a "
        "thousand. With a subject of several faces: how often another person may match one of them",
        examples=[0.001],
    )

    @property
    def requested(self) -> RequestedThreshold:
        """Return what the caller asks for. Raises InvalidOption if both options are given."""
        return requested_threshold(self.threshold, self.max_fmr, "max_fmr")


class ImageAnswer(Answer):
    """The face that was used of one image."""

    face: FaceAnswer
    faces_found: int | None
    warnings: list[WarningAnswer]


class VerifyAnswer(Answer):
    """Whether both images show the same person: `distance < threshold`."""

    verified: bool
    distance: Distance
    score: Score
    threshold: float
    fmr: Rate | None = Field(
        description="false match rate at the threshold: how often two people match. With a subject of several faces: "
        "how often another person matches one of them. Null if it was not measured"
    )
    fnmr: Rate | None = Field(
        description="false non-match rate at the threshold: how often two photographs of one person do not match. With "
        "a subject of several faces, fewer do not match. Null if it was not measured"
    )
    rates_missing: str | None = Field(description="why `fmr` and `fnmr` are null")
    image_a: ImageAnswer
    image_b: ImageAnswer
    model: ModelAnswer
    compared_with: ComparedWith
