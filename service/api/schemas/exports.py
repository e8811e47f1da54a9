"""GET /collections/{collection}/subjects/{subject}/export."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import Field

from service.api.schemas.embed import json_vectors
from service.api.schemas.faces import EnrolledFaceAnswer
from service.api.schemas.fields import Id
from service.api.schemas.responses import Answer
from service.api.schemas.subjects import SubjectAnswer
from service.gallery.base import StoredSubject
from service.model_files.card import ModelId

AUDIT_FIELDS = ("seq", "time", "event", "method", "route", "status", "key", "model", "threshold", "counts")
"""Other fields of a line can be about other people."""


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
