"""What a client can send where an image is expected: a file of a form, or a JSON object of exactly one kind."""

import base64
from typing import Annotated, Any, Protocol

from pydantic import (
    BaseModel,
    BeforeValidator,
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

from service.api.schemas.fields import MAX_IMAGES, Body, Id, UnitVector
from service.decisions.inputs import EmbeddingInput, FaceInput, Input, PhotographInput, SubjectInput
from service.model_files.card import ModelId


def _decode_base64(value: object) -> bytes:
    """Return the decoded bytes.

    The text may have line breaks, as MIME writes them (RFC 2045). It may be in the URL-safe alphabet, and without
    padding (RFC 4648, sections 3.2 and 5). Any other character is refused.
    """
    if not isinstance(value, str) or not value:
        raise PydanticCustomError("base64_text", "Send the bytes of the file as base64 text.")
    _, _, text = value.partition(",") if value.startswith("data:") else ("", "", value)
    try:
        data = text.encode("ascii").replace(b"\r", b"").replace(b"\n", b"").replace(b"-", b"+").replace(b"_", b"/")
        return base64.b64decode(data + b"=" * (-len(data) % 4), validate=True)
    except ValueError:
        raise PydanticCustomError(
            "base64",
            "This is not base64 (RFC 4648). Encode the bytes of the file, not its name, and send only that text, or a "
            "data URI.",
        ) from None


class _Kind(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


_Base64Text = Annotated[str, Field(min_length=1, json_schema_extra={"format": "byte"})]


class Base64Image(_Kind):
    """A photograph: JPEG, PNG, WebP, AVIF, HEIC, BMP or GIF."""

    base64: Annotated[bytes, BeforeValidator(_decode_base64, json_schema_input_type=_Base64Text)] = Field(
        description="the file in base64, or a data URI"
    )

    def to_input(self) -> Input:
        """Pass the file on. The pipeline decodes the image."""
        return PhotographInput(self.base64)


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


def _tag(kind: str) -> str:
    """Return the name of a kind in the location of an error. No field has this name, so it can be left out."""
    return f"({kind})"


KINDS_BY_TAG: dict[object, type[BaseModel]] = {
    _tag("base64"): Base64Image,
    _tag("embedding"): EmbeddingImage,
    _tag("face"): FaceImage,
    _tag("subject"): SubjectImage,
}
"""The model of each kind, by its name in the location of an error."""


def _kind(value: object) -> str | None:
    """Return the tag of the first of the four names that the object has. The model of that kind checks the rest."""
    return next((_tag(kind) for kind in _KINDS if isinstance(value, dict) and kind in value), None)


def _to_input(value: object, validate: ValidatorFunctionWrapHandler) -> Input:
    """Return an input. A file of a form is an input already."""
    if isinstance(value, PhotographInput):
        return value
    image: _HasInput = validate(value)
    return image.to_input()


_JSON_IMAGE = Annotated[
    Annotated[
        Annotated[Base64Image, Tag(_tag("base64"))]
        | Annotated[EmbeddingImage, Tag(_tag("embedding"))]
        | Annotated[FaceImage, Tag(_tag("face"))]
        | Annotated[SubjectImage, Tag(_tag("subject"))],
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


def image_fields(model: type[BaseModel]) -> dict[str, dict[str, Any]]:
    """Return the fields of a body that are images, with their JSON schemas."""
    properties = model.model_json_schema()["properties"]
    return {name: field for name, field in properties.items() if "oneOf" in field or "oneOf" in field.get("items", {})}
