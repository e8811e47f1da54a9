"""What a client can send where an image is expected: a file of a form, or a JSON object of exactly one kind."""

import base64
from typing import Annotated, Protocol

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    FailFast,
    Field,
    GetPydanticSchema,
    Tag,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from service.api.schemas.fields import Body, Id, UnitVector
from service.decisions.inputs import EmbeddingInput, FaceInput, Input, PhotographInput, SubjectInput
from service.model_files.card import ModelId

MAX_IMAGES = 4096
MAX_EMBEDDINGS = 20_000
"""No setting allows more. The settings can allow less. `admission.py` and the decision check the settings."""


class _Kind(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Base64Image(_Kind):
    """A photograph: JPEG, PNG, WebP, AVIF, HEIC, BMP or GIF."""

    base64: str = Field(
        min_length=1,
        description="the file in base64, or a data URI",
        json_schema_extra={"format": "byte"},
    )

    def to_input(self) -> Input:
        """Decode the base64 text."""
        _, _, text = self.base64.rpartition(",") if self.base64.startswith("data:") else ("", "", self.base64)
        try:
            return PhotographInput(base64.b64decode(text, validate=True))
        except ValueError:
            raise PydanticCustomError("base64", "This is not base64 in one line (RFC 4648, section 4).") from None


class EmbeddingImage(_Kind):
    """An embedding that you have, instead of a photograph."""

    embedding: UnitVector
    model: ModelId = Field(
        description="the model that made it: the loaded model or, in /verify and /identify, a compatible one"
    )

    def to_input(self) -> Input:
        """Pass it on. The decision checks the vector."""
        return EmbeddingInput(self.embedding, self.model)


class FaceImage(_Kind):
    """An enrolled face."""

    face: Id = Field(description="the id of the enrolled face")
    collection: Id = Field(description="the id of its collection")

    def to_input(self) -> Input:
        """Pass it on. The decision looks the face up."""
        return FaceInput(self.face, self.collection)


class SubjectImage(_Kind):
    """A subject: the nearest of the subject's faces counts."""

    subject: Id = Field(description="the id of the subject")
    collection: Id = Field(description="the id of its collection")

    def to_input(self) -> Input:
        """Pass it on. The decision looks the subject up."""
        return SubjectInput(self.subject, self.collection)


class _HasInput(Protocol):
    def to_input(self) -> Input: ...


_KINDS = ("base64", "embedding", "face", "subject")


def _kind(value: object) -> str | None:
    """Return the first of the four names that the object has. The model of that kind then checks the other fields."""
    return next((kind for kind in _KINDS if isinstance(value, dict) and kind in value), None)


def _to_input(value: object, validate: ValidatorFunctionWrapHandler) -> Input:
    """Return an input. A file of a form is an input already."""
    if isinstance(value, PhotographInput):
        return value
    image: _HasInput = validate(value)
    return image.to_input()


_JSON_IMAGE = Annotated[
    Annotated[
        Annotated[Base64Image, Tag("base64")]
        | Annotated[EmbeddingImage, Tag("embedding")]
        | Annotated[FaceImage, Tag("face")]
        | Annotated[SubjectImage, Tag("subject")],
        Discriminator(
            _kind,
            custom_error_type="image_kind",
            custom_error_message="An image is a file of a form, or a JSON object of one kind: "
            "base64, embedding, face or subject.",
        ),
    ],
    WrapValidator(_to_input),
]

ImageInput = Annotated[Input, GetPydanticSchema(lambda _type, handler: handler(_JSON_IMAGE))]
"""An input of a decision. In a request it is a file, or an object of one of the four kinds."""

Images = Annotated[list[ImageInput], FailFast(), Field(min_length=1, max_length=MAX_IMAGES)]


class ImagesBody(Body):
    """Images, in order."""

    images: Images


IMAGE_KINDS: tuple[type[BaseModel], ...] = (Base64Image, EmbeddingImage, FaceImage, SubjectImage)
