"""What comes in, field by field: bodies carry images, queries carry options."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, FailFast, Field, model_validator
from pydantic_core import PydanticCustomError

from service.api.fields import Flag, Id, Metadata, ModelId, Name, Options, Threshold, UnitVector
from service.api.inputs import ImageInput

MAX_IMAGES = 4096
MAX_EMBEDDINGS = 20_000
"""The most that the settings can allow; what they do allow is told by the door and by the decision."""

Images = Annotated[list[ImageInput], FailFast(), Field(min_length=1, max_length=MAX_IMAGES)]
Embeddings = Annotated[list[UnitVector], FailFast(), Field(min_length=1, max_length=MAX_EMBEDDINGS)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class VerifyBody(_Request):
    """Two images."""

    image_a: ImageInput
    image_b: ImageInput


class VerifyOptions(Options):
    """The query of /verify."""

    threshold: Threshold | None = None


class IdentifyBody(_Request):
    """One image."""

    image: ImageInput


class IdentifyOptions(Options):
    """The query of /identify."""

    collection: Id = "default"
    k: int = Field(5, ge=1, le=100, description="candidates a face, at most")
    threshold: Threshold | None = None


class ImagesBody(_Request):
    """Images, in order."""

    images: Images


class EmbedOptions(Options):
    """The query of /embed."""

    include: Literal["embedding"] | None = Field(None, description="`embedding` adds the vectors to the answer")


class ClusterBody(_Request):
    """Images; or, as JSON alone, embeddings and the model that made them."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": ["images"], "maxProperties": 1},
                {"required": ["embeddings", "model"], "maxProperties": 2},
            ]
        }
    )

    images: Images = Field(default_factory=list)
    embeddings: Embeddings = Field(default_factory=list)
    model: ModelId = Field(default_factory=str)

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if self.model_fields_set not in ({"images"}, {"embeddings", "model"}):
            raise PydanticCustomError("cluster_kind", "Send either images, or embeddings with their model.")
        return self


class ClusterOptions(Options):
    """The query of /cluster."""

    method: Literal["agglomerative", "kmeans", "dbscan", "hdbscan"] = "agglomerative"
    threshold: Threshold | None = Field(None, description="the model's own for this method where it is left out")
    n_clusters: int | None = Field(None, ge=1, le=5000, description="how many people there are, where that is known")
    together: Flag = Field(default=False, description="whether two faces of one photograph may be one person's")
    collection: Id | None = Field(None, description="groups the faces of a collection; no body then")


class NewSubject(_Request):
    """A subject to create; an id is made where none is given."""

    id: Id | None = None
    name: Name | None = None
    metadata: Metadata = {}


class SubjectFields(_Request):
    """What is known of a subject. PUT takes a field that is left out as empty, PATCH leaves it as it is."""

    name: Name | None = None
    metadata: Metadata = {}


class EnrolOptions(Options):
    """The query of an enrolment."""

    on_several: Literal["refuse", "main"] = Field("refuse", description="a photograph of several people")
