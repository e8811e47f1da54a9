"""What goes out of the decisions, field by field. Distances are squared L2 in [0, 4]."""

from typing import Annotated, Literal

from pydantic import Field

from service.api.answers import Answer, Distance, FaceAnswer, ModelAnswer, WarningAnswer
from service.api.fields import Id

ComparedWith = Annotated[
    ModelAnswer | None,
    Field(
        description="the compatible model that made the other side of the comparison; null where `model` made both. "
        "The threshold is the one that was measured between the two"
    ),
]


class ImageAnswer(Answer):
    """What was seen in one image of /verify."""

    face: FaceAnswer
    faces_found: int | None
    warnings: list[WarningAnswer]


class VerifyAnswer(Answer):
    """Whether both images show the same person: `distance < threshold`."""

    verified: bool
    distance: Distance
    threshold: float
    fmr: float | None = Field(description="false match rate at the threshold, where it was measured")
    image_a: ImageAnswer
    image_b: ImageAnswer
    model: ModelAnswer
    compared_with: ComparedWith


class CandidateAnswer(Answer):
    """A subject, and the nearest of their faces."""

    subject: Id
    name: str | None
    distance: Distance
    face: Id


class IdentifiedFace(FaceAnswer):
    """One face of the image. `subject` and `distance` are null where the decision is `unknown`."""

    decision: Literal["match", "unknown"]
    subject: Id | None
    distance: Distance | None
    candidates: list[CandidateAnswer]


class IdentifyAnswer(Answer):
    """Every face of the image; none where it shows none."""

    faces: list[IdentifiedFace]
    threshold: float
    fpir: float | None = Field(description="how often a stranger is called somebody, where it was measured")
    gallery_size: int
    warnings: list[WarningAnswer]
    model: ModelAnswer
    compared_with: ComparedWith


class EmbeddedFace(FaceAnswer):
    """One face; `embedding` is null unless asked for with ?include=embedding."""

    embedding: list[float] | None


class EmbeddedImage(Answer):
    """The faces of one image."""

    faces: list[EmbeddedFace]
    warnings: list[WarningAnswer]


class EmbedAnswer(Answer):
    """One entry an image, in the order of the request."""

    images: list[EmbeddedImage]
    model: ModelAnswer


class ClusteredFace(Answer):
    """One face: where it came from, and its cluster; -1 where it is like no other."""

    image: int | None = Field(description="position in the request")
    face: FaceAnswer
    enrolled: Id | None = Field(description="the face's id where a collection is grouped")
    subject: Id | None
    label: int


class ClusterAnswer(Answer):
    """One cluster; numbers are positions in `faces`."""

    label: int
    size: int
    representative: int
    members: list[int]


class ClusteringAnswer(Answer):
    """Which faces are one person's."""

    faces: list[ClusteredFace]
    clusters: list[ClusterAnswer]
    method: str
    threshold: float | None
    warnings: list[list[WarningAnswer]] = Field(description="one list an image, in the order of the request")
    model: ModelAnswer
