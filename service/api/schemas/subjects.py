"""/collections/{collection}/subjects, and the export of a subject."""

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import datetime
from typing import Any, Self

import numpy as np
from pydantic import Field
from starlette.concurrency import iterate_in_threadpool

from service.api.schemas.embed import json_vectors
from service.api.schemas.faces import EnrolledFaceAnswer
from service.api.schemas.fields import Body, Id, Metadata, Name
from service.api.schemas.responses import Answer
from service.domain.errors import StorageLost
from service.domain.face import KeptCrop
from service.gallery.base import EnrolledFace, StoredSubject, Subject
from service.model_files.card import ModelId

AUDIT_FIELDS = ("seq", "time", "event", "method", "route", "status", "key", "model", "threshold", "counts")
"""Other fields of a line can be about other people."""


class NewSubject(Body):
    """A subject to create. Without an id, the service makes one."""

    id: Id | None = None
    name: Name | None = None
    metadata: Metadata = Field({})


class SubjectFields(Body):
    """The fields of a subject. PUT empties a missing field, PATCH keeps it as it is."""

    name: Name | None = None
    metadata: Metadata = Field({})


class MergeBody(Body):
    """The subject whose faces are moved, and which is then deleted. Its name in JSON is `from`."""

    source: Id = Field(alias="from", description="the subject that gives its faces away and is deleted")


class SubjectAnswer(Answer):
    """A person in a collection."""

    id: Id
    name: str | None
    metadata: dict[str, object]
    faces: int
    created_at: datetime

    @classmethod
    def of(cls, subject: Subject) -> Self:
        """Describe a subject."""
        return cls(
            id=subject.id,
            name=subject.name,
            metadata=subject.metadata,
            faces=subject.faces,
            created_at=subject.created_at,
        )


class MergeAnswer(Answer):
    """The subject after a merge, and how many faces came from the deleted subject."""

    subject: SubjectAnswer
    moved: int


class SubjectsAnswer(Answer):
    """A page of subjects."""

    items: list[SubjectAnswer]
    next_cursor: str | None


class ExportedFace(EnrolledFaceAnswer):
    """A face with its embeddings, and what is kept of its photograph."""

    embedding: list[float]
    other_embedding: list[float] | None = Field(description="the embedding by `other_model`. Null if there is none")
    crop_base64: str | None = Field(description="a JPEG, in base64. Null if nothing is kept, or if it is damaged")


class SubjectExport(Answer):
    """All that is stored about a subject (GDPR, article 15)."""

    collection: Id
    subject: SubjectAnswer
    model: ModelId | None = Field(description="the model that made the embeddings. Null without faces")
    other_model: ModelId | None = Field(
        description="the other model of the collection. Null if it has none, or without faces"
    )
    faces: list[ExportedFace]
    audit: list[dict[str, Any]] = Field(
        description="the lines of the audit log about the subject, without what is about others in the same line"
    )


ReadCrop = Callable[[str], Awaitable[KeptCrop | None]]
"""Returns what is kept of the face with this id. None if it is there no longer."""


async def export_parts(
    collection: str, stored: StoredSubject, lines: Iterable[dict[str, Any]], read_crop: ReadCrop
) -> AsyncIterator[str]:
    """Yield the JSON of a SubjectExport in parts: a subject can have many faces and lines.

    The crops are read one by one, because all together they could be larger than the memory.
    """
    head = {
        "collection": collection,
        "subject": SubjectAnswer.of(stored.subject).model_dump(mode="json"),
        "model": stored.model_id,
        "other_model": stored.other_model_id,
    }
    yield json.dumps(head)[:-1] + ', "faces": ['
    for row, face in enumerate(stored.faces):
        yield _separated(row, _exported_face(stored, row, await _readable_crop(face, read_crop)))
    yield '], "audit": ['
    async for number, line in iterate_in_threadpool(enumerate(lines)):
        yield _separated(number, json.dumps({name: line[name] for name in AUDIT_FIELDS if name in line}))
    yield "]}"


async def _readable_crop(face: EnrolledFace, read_crop: ReadCrop) -> KeptCrop | None:
    """Read the crop of a face. A damaged one is left out: the rest of the export is worth having."""
    try:
        return await read_crop(face.id) if face.has_crop else None
    except StorageLost:
        return None


def _exported_face(stored: StoredSubject, row: int, crop: KeptCrop | None) -> str:
    assert stored.embeddings is not None  # noqa: S101  # there is one for each face
    face = stored.faces[row]
    other = stored.other_embeddings.get(face.id)
    return ExportedFace(
        **EnrolledFaceAnswer.of(face).model_dump(),
        embedding=json_vectors(stored.embeddings[row : row + 1])[0],
        other_embedding=None if other is None else json_vectors(other[np.newaxis])[0],
        crop_base64=crop and base64.b64encode(crop.picture).decode(),
    ).model_dump_json()


def _separated(number: int, item: str) -> str:
    return f", {item}" if number else item
