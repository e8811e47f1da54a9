"""What stands where an image is expected: a file of a form, or a JSON object of exactly one kind."""

import base64
from typing import Annotated, Protocol

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    GetPydanticSchema,
    Tag,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from service.api.fields import Id, ModelId, UnitVector
from service.decisions import inputs as decisions


class _Kind(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Base64Image(_Kind):
    """A photograph: JPEG, PNG, WebP, BMP or GIF."""

    base64: str = Field(
        min_length=1,
        description="the file in base64; a data URI is taken too",
        json_schema_extra={"format": "byte"},
    )

    def input(self) -> decisions.Input:
        """The bytes."""
        _, _, text = self.base64.rpartition(",") if self.base64.startswith("data:") else ("", "", self.base64)
        try:
            return decisions.Upload(base64.b64decode(text, validate=True))
        except ValueError:
            raise PydanticCustomError("base64", "This is not base64 in one line (RFC 4648, section 4).") from None


class EmbeddingImage(_Kind):
    """An embedding that you hold, instead of a photograph."""

    embedding: UnitVector
    model: ModelId = Field(
        description="what made it: the loaded model or, in /verify and /identify, one that is compatible with it"
    )

    def input(self) -> decisions.Input:
        """As it is; the decision checks it."""
        return decisions.Given(self.embedding, self.model)


class FaceImage(_Kind):
    """A face that is enrolled."""

    face: Id
    collection: Id

    def input(self) -> decisions.Input:
        """As it is; the decision looks it up."""
        return decisions.Enrolled(self.face, self.collection)


class SubjectImage(_Kind):
    """A subject who is enrolled: the nearest of their faces counts."""

    subject: Id
    collection: Id

    def input(self) -> decisions.Input:
        """As it is; the decision looks it up."""
        return decisions.Claimed(self.subject, self.collection)


class _Kinds(Protocol):
    def input(self) -> decisions.Input: ...


_KINDS = ("base64", "embedding", "face", "subject")


def _kind(value: object) -> str | None:
    """The first of the four names that the object has; its other fields are then checked by that kind."""
    return next((kind for kind in _KINDS if isinstance(value, dict) and kind in value), None)


def _to_input(value: object, handler: ValidatorFunctionWrapHandler) -> decisions.Input:
    """Files of a form come as uploads already."""
    if isinstance(value, decisions.Upload):
        return value
    kind: _Kinds = handler(value)
    return kind.input()


_WIRE = Annotated[
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

ImageInput = Annotated[decisions.Input, GetPydanticSchema(lambda _type, handler: handler(_WIRE))]
"""What a decision takes; on the wire it is one of the four kinds above, or a file."""
