"""/collections/{collection}/subjects, and the export of a subject."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Self

from pydantic import Field

from service.api.schemas.embed import json_vectors
from service.api.schemas.faces import EnrolledFaceAnswer
from service.api.schemas.fields import Body, Id, Metadata, Name
from service.api.schemas.responses import Answer
from service.gallery.base import StoredSubject, Subject
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
    """A face with its embedding. The photograph itself is not kept."""

    embedding: list[float]


class SubjectExport(Answer):
    """All that is stored about a subject (GDPR, article 15)."""

    collection: Id
    subject: SubjectAnswer
    model: ModelId | None = Field(description="the model that made the embeddings. Null without faces")
    faces: list[ExportedFace]
    audit: list[dict[str, Any]] = Field(
        description="the lines of the audit log about the subject, without what is about others in the same line"
    )


def export_parts(collection: str, stored: StoredSubject, lines: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield the JSON of a SubjectExport in parts: a subject can have many faces and lines."""
    head = {
        "collection": collection,
        "subject": SubjectAnswer.of(stored.subject).model_dump(mode="json"),
        "model": stored.model_id,
    }
    yield json.dumps(head)[:-1] + ', "faces": ['
    yield from _joined(_faces(stored))
    yield '], "audit": ['
    yield from _joined(json.dumps({name: line[name] for name in AUDIT_FIELDS if name in line}) for line in lines)
    yield "]}"


def _faces(stored: StoredSubject) -> Iterator[str]:
    for row, face in enumerate(stored.faces):
        assert stored.embeddings is not None  # noqa: S101  # there is one for each face
        (embedding,) = json_vectors(stored.embeddings[row : row + 1])
        yield ExportedFace(**EnrolledFaceAnswer.of(face).model_dump(), embedding=embedding).model_dump_json()


def _joined(items: Iterable[str]) -> Iterator[str]:
    for number, item in enumerate(items):
        yield f", {item}" if number else item
