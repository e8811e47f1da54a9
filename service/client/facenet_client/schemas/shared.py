"""What several answers have, and the problem document.

This file is written by write_schemas.py.
"""

from typing import Literal

from pydantic import SkipValidation

from facenet_client.schemas.base import Answer


class BoxAnswer(Answer):
    """A rectangle in pixels of the upright image. (x, y) is the upper left corner."""

    x: float
    y: float
    width: float
    height: float


class RatesAtThreshold(Answer):
    """The error rates at one threshold."""

    threshold_sq_l2: float
    """a squared L2 distance. A smaller distance is a match"""
    fmr: float
    """false match rate: the share of pairs of two people that match"""
    fmr_interval: tuple[float, float]
    """95 % confidence interval of the FMR"""
    fnmr: float | None
    """false non-match rate: the share of pairs of one person that do not match. Null in the calibration of a
    collection if fewer than 30 subjects have several faces
    """
    fnmr_interval: tuple[float, float] | None
    """95 % confidence interval of the FNMR"""


QualityReason = SkipValidation[
    Literal[
        "too_small", "blurred", "dark", "bright", "low_contrast", "turned_away", "cut_off", "unclear", "unrecognisable"
    ]
]
"""What is wrong with a face."""


class MeasuresAnswer(Answer):
    """What was measured of a face. `detection_score` and `roll_deg` are those of the face."""

    face_width_px: float
    """the width of the face, in pixels of the photograph"""
    sharpness: float
    """the share of fine detail in the contrast. A sharp face has 0.1 to 0.3"""
    brightness: float
    """the mean luminance, in [0, 1]"""
    contrast: float
    """the standard deviation of the luminance, in [0, 0.5]"""
    yaw_deg: float
    """about how far the head is turned away. Positive: to the right of the image"""
    roll_deg: float
    share_inside: float
    """the part of the box that is inside the photograph, in [0, 1]"""
    detection_score: float
    landmark_score: float
    """how sure the landmark network is that this is a face, in [0, 1]. 1 if it does not run"""


class QualityAnswer(Answer):
    """How well a face can be compared."""

    score: float | None
    """in [0, 1]: how likely the face is to match a good photograph of the same person. Null if the card of the model
    does not say how to compute it
    """
    reasons: tuple[QualityReason, ...]
    """what is wrong with the face. It can be empty"""
    measures: MeasuresAnswer


Notice = SkipValidation[
    Literal[
        "first_frame_only",
        "converted_colours",
        "several_faces",
        "faces_left_out",
        "end_missing",
        "turned",
        "low_quality",
    ]
]
"""Something that was changed or left out in a photograph. The API reports it to the client as a warning."""


class WarningAnswer(Answer):
    """Something that was changed or left out in an image."""

    code: Notice
    detail: str


class EnrolmentResult(Answer):
    """The outcome for one image. `face` is the new id or, if the image is known already, the existing one."""

    status: SkipValidation[Literal["enrolled", "known", "refused"]]
    face: str | None
    code: str | None
    detail: str | None
    box: BoxAnswer | None
    quality: QualityAnswer | None
    warnings: tuple[WarningAnswer, ...]


class Fault(Answer):
    """One error of a request."""

    where: str
    """the field, such as query.threshold or body.image_a"""
    message: str


class Problem(Answer):
    """Why a request was refused. `code` is stable. `detail` says what to do."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    image: str | None = None
    """the image that the problem is about, if it is about one"""
    errors: tuple[Fault, ...] = ()
    """the errors of an invalid request, ten at most"""
    results: tuple[EnrolmentResult, ...] = ()
    """the outcome for each image of an enrolment"""


class Calibration(Answer):
    """The error rates of a model at many thresholds, ascending. All rows are measured on the same pairs."""

    people: int
    """how many people the photographs show. Each has the same weight"""
    non_mated_pairs: int
    """how many pairs of photographs of two people were compared"""
    mated_pairs: int
    """how many pairs of photographs of one person were compared"""
    measured_on: str
    """the photographs, in words"""
    rates: tuple[RatesAtThreshold, ...]


class ModelAnswer(Answer):
    """The embedder that made the answer."""

    name: str
    id: str
    dimension: int
