"""POST /identify."""

from typing import Literal

from pydantic import Field

from service.api.schemas.fields import Body, Id, MaxRate, OnePersonOnce, Options, Threshold
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
from service.model_files.calibration import CalibrationSource


class IdentifyBody(Body):
    """One image."""

    image: ImageInput


class IdentifyOptions(Options):
    """The query of /identify."""

    collection: Id = Field("default", description="the collection to search")
    k: int = Field(5, ge=1, le=100, description="how many candidates a face gets at most")
    threshold: Threshold | None = Field(
        None,
        description="the squared L2 distance below which the nearest subject is a match, in [0, 4]",
        examples=[1.0],
    )
    max_fpir: MaxRate | None = Field(
        None,
        description="in place of `threshold`: how often a stranger may get a match. The threshold is lower for a "
        "larger collection. Default: 0.01, one stranger in a hundred, and never a threshold above that of /verify",
        examples=[0.01],
    )
    one_person_once: OnePersonOnce = True
    margin: float | None = Field(
        None,
        ge=0,
        le=100,
        allow_inf_nan=False,
        description="how many points of score a match must have more than any other subject. With fewer, the decision "
        "is `ambiguous`. 0: never. Default: 10, or 0 if the model has no calibration",
        examples=[10],
    )
    calibration: CalibrationSource | None = Field(
        None,
        description="whose error rates are used: those of the `model`, or the collection's `own`. Default: what the "
        "collection is set to",
        examples=["model"],
    )

    @property
    def requested(self) -> RequestedThreshold:
        """Return what the caller asks for. Raises InvalidOption if both options are given."""
        return requested_threshold(self.threshold, self.max_fpir, "max_fpir")


class CandidateAnswer(Answer):
    """A subject, and the nearest of the subject's faces."""

    subject: Id
    name: str | None
    distance: Distance
    score: Score
    face: Id


class IdentifiedFace(FaceAnswer):
    """One face of the image. `subject`, `distance` and `score` are null unless the decision is `match`.

    The subject is the first candidate, unless another face of the photograph is nearer to that candidate.
    """

    decision: Literal["match", "ambiguous", "unknown"] = Field(
        description="`ambiguous`: two subjects are nearly equally near, and it is not known which of them it is"
    )
    subject: Id | None
    distance: Distance | None
    score: Score | None
    between: list[CandidateAnswer] = Field(
        description="the two subjects of an `ambiguous` face, nearest first. Otherwise empty"
    )
    nearest_taken_by: int | None = Field(
        description="the position in `faces` of another face that is nearer to this face's nearest subject, and got "
        "it. Null if there is none"
    )
    candidates: list[CandidateAnswer]


class IdentifyAnswer(Answer):
    """Every face of the image. The list is empty if the image shows no face."""

    faces: list[IdentifiedFace]
    threshold: float
    margin: float = Field(description="in points of score, as it was applied")
    fpir: Rate | None = Field(
        description="false positive identification rate at the threshold: how often a stranger gets a match in a "
        "collection of this size. Null if it was not measured"
    )
    fpir_missing: str | None = Field(description="why `fpir` is null")
    calibration: CalibrationSource = Field(description="whose error rates were used")
    gallery_size: int
    warnings: list[WarningAnswer]
    model: ModelAnswer
    compared_with: ComparedWith
