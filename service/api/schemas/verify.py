"""POST /verify."""

from pydantic import Field

from service.api.schemas.fields import Body, Options, Threshold
from service.api.schemas.images import ImageInput
from service.api.schemas.responses import Answer, ComparedWith, Distance, FaceAnswer, ModelAnswer, WarningAnswer


class VerifyBody(Body):
    """Two images."""

    image_a: ImageInput
    image_b: ImageInput


class VerifyOptions(Options):
    """The query of /verify."""

    threshold: Threshold | None = Field(
        None,
        description="the squared L2 distance below which two faces match. Default: the model's threshold for /verify",
    )


class ImageAnswer(Answer):
    """The face that was used of one image."""

    face: FaceAnswer
    faces_found: int | None
    warnings: list[WarningAnswer]


class VerifyAnswer(Answer):
    """Whether both images show the same person: `distance < threshold`."""

    verified: bool
    distance: Distance
    threshold: float
    fmr: float | None = Field(description="false match rate at the threshold. Null if it was not measured")
    image_a: ImageAnswer
    image_b: ImageAnswer
    model: ModelAnswer
    compared_with: ComparedWith
