"""The faces of subjects. The body of an enrolment is `ImagesBody`."""

from datetime import datetime
from typing import Literal, Self

from pydantic import Field

from service.api.schemas.fields import Body, Id, Options
from service.api.schemas.responses import Answer, BoxAnswer, ModelAnswer, QualityAnswer, WarningAnswer
from service.gallery.base import EnrolledFace


class EnrolOptions(Options):
    """The query of an enrolment."""

    on_several: Literal["refuse", "main"] = Field("refuse", description="what to do if an image shows several people")
    min_quality: float | None = Field(
        None,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="a face with a lower quality score is refused. Default: the minimum of the model. 0: never",
    )


class FaceFields(Body):
    """The field of a face that can change."""

    subject: Id = Field(description="the subject of the same collection that the face belongs to from now on")


class EnrolledFaceAnswer(Answer):
    """An enrolled face. The photograph itself is not kept."""

    id: Id
    subject: Id
    image_sha256: str
    created_at: datetime

    @classmethod
    def of(cls, face: EnrolledFace) -> Self:
        """Describe an enrolled face."""
        return cls(id=face.id, subject=face.subject, image_sha256=face.image_sha256, created_at=face.created_at)


class FacesAnswer(Answer):
    """A page of faces."""

    items: list[EnrolledFaceAnswer]
    next_cursor: str | None


class EnrolmentResult(Answer):
    """The outcome for one image. `face` is the new id or, if the image is known already, the existing one."""

    status: Literal["enrolled", "known", "refused"]
    face: Id | None
    code: str | None
    detail: str | None
    box: BoxAnswer | None
    quality: QualityAnswer | None
    warnings: list[WarningAnswer]


class EnrolmentAnswer(Answer):
    """One result for each image, in the order of the request."""

    results: list[EnrolmentResult]
    model: ModelAnswer
