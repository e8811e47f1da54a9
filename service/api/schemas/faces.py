"""The faces of subjects, and their embeddings by another model.

The body of an enrolment is `ImagesBody`, or a `FaceLine` on each line.
"""

import binascii
from datetime import datetime
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from service.api.schemas.fields import EXAMPLE_MODEL, Body, Id, Metadata, Name, Options, UnitVector
from service.api.schemas.responses import Answer, BoxAnswer, ModelAnswer, QualityAnswer, WarningAnswer
from service.decisions.inputs import SentFace
from service.domain.errors import InvalidLine
from service.gallery.base import EnrolledFace, SubjectToCreate
from service.gallery.records.statements.kept.other_embeddings import OtherSet
from service.model_files.card import ModelId

FLOAT32 = np.dtype("<f4")


def _decode_base64(value: object) -> bytes:
    if not isinstance(value, str):
        raise PydanticCustomError("base64_text", "Send the numbers as base64 text.")
    try:
        return binascii.a2b_base64(value, strict_mode=True)
    except ValueError:
        raise PydanticCustomError(
            "base64", "This is not base64 (RFC 4648). Encode the numbers as float32 in little-endian order."
        ) from None


Base64 = Annotated[bytes, BeforeValidator(_decode_base64, json_schema_input_type=str)]
"""Numbers as float32, little-endian, in base64."""


class EnrolOptions(Options):
    """The query of an enrolment."""

    on_several: Literal["refuse", "main"] = Field(
        "refuse",
        description="what to do if an image shows several people. `refuse`: refuse it. `main`: enrol the main face",
    )
    min_quality: float | None = Field(
        None,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="a face with a lower quality score is refused, in [0, 1]. Default: the minimum of the model. 0: "
        "never",
        examples=[0.3],
    )


class FaceFields(Body):
    """The field of a face that can change."""

    subject: Id = Field(description="the subject of the same collection that the face belongs to from now on")


class FaceLine(Body):
    """One line of a bulk enrolment: an embedding, and the subject that it belongs to.

    The subject is created if it does not exist. Only then `name` and `metadata` are used. Send `embedding` or
    `embedding_base64`, one of the two.
    """

    subject: Id = Field(description="the subject. It is created if it does not exist")
    name: Name | None = Field(None, description="is stored only if the subject is new")
    metadata: Metadata = Field(
        default_factory=dict,  # a default value would be copied for each line, which takes longer than to make one
        description="any JSON object of at most 4 kB. It is stored only if the subject is new",
        json_schema_extra={"default": {}},
    )
    model: ModelId = Field(description="the model that made the embedding: the loaded model")
    embedding: UnitVector = Field(default_factory=list)
    embedding_base64: Base64 = Field(b"", description="the numbers as float32, little-endian, in base64")

    def to_face(self) -> SentFace:
        """Pass it on. The decision checks the vector. Raises InvalidLine."""
        if bool(self.embedding) == bool(self.embedding_base64):
            raise InvalidLine("Send `embedding` or `embedding_base64`, one of the two.")
        vector = np.asarray(self.embedding, np.float64) if self.embedding else self._decoded()
        return SentFace(SubjectToCreate(self.subject, self.name, self.metadata), vector, self.model)

    def _decoded(self) -> NDArray[np.float32]:
        if len(self.embedding_base64) % FLOAT32.itemsize:
            raise InvalidLine("`embedding_base64` has a part of a float32. Encode 4 bytes for each number.")
        return np.frombuffer(self.embedding_base64, FLOAT32)


class LineResult(Answer):
    """The outcome for one line of a bulk enrolment. A field without a value is left out.

    `face` is the new id or, if the embedding is known already, the existing one.
    """

    line: int = Field(ge=1, description="the number of the line, from 1")
    status: Literal["enrolled", "known", "refused"]
    face: Id | None = None
    code: str | None = None
    detail: str | None = None

    def to_line(self) -> bytes:
        """Return a line of NDJSON."""
        return self.model_dump_json(exclude_none=True).encode() + b"\n"


class EnrolledFaceAnswer(Answer):
    """An enrolled face. The photograph itself is not kept."""

    id: Id
    subject: Id
    image_sha256: str
    created_at: datetime
    has_crop: bool = Field(description="whether the part of the photograph around the face is kept: GET its /crop")

    @classmethod
    def of(cls, face: EnrolledFace) -> Self:
        """Describe an enrolled face."""
        return cls(
            id=face.id,
            subject=face.subject,
            image_sha256=face.image_sha256,
            created_at=face.created_at,
            has_crop=face.has_crop,
        )


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


class ModelOptions(Options):
    """The query of a change of a collection's model."""

    model: ModelId = Field(
        description="the model to use from now on: GET .../reembedding shows its id", examples=[EXAMPLE_MODEL]
    )
    delete_missing: bool = Field(
        default=False,
        description="delete the faces that the model cannot embed, because no usable crop of them is kept. They do not "
        "come back with another change of the model",
    )


class ReembeddingAnswer(Answer):
    """How many faces of a collection have an embedding by another model, beside the one in use."""

    model: ModelId = Field(description="the other model")
    faces: int
    done: int = Field(description="how many faces have an embedding by the other model")
    waiting: int = Field(description="how many faces are still to be embedded by it")
    without_crop: int = Field(
        description="how many faces cannot be embedded, because no crop is kept. If their photographs are enrolled "
        "again with FACE_GALLERY__KEEP_CROPS=yes, they can be"
    )
    unusable: int = Field(description="how many faces have a crop that cannot be read")
    complete: bool = Field(description="whether all faces have one, so that the model of the collection can be changed")

    @classmethod
    def of(cls, found: OtherSet) -> Self:
        """Describe the second set of embeddings of a collection."""
        return cls(
            model=found.model,
            faces=found.faces,
            done=found.done,
            waiting=found.waiting,
            without_crop=found.without_crop,
            unusable=found.unusable,
            complete=0 < found.faces == found.done,
        )
