"""/collections/{collection}/subjects."""

from datetime import datetime
from typing import Self

from pydantic import Field

from service.api.schemas.fields import Body, Id, Metadata, Name
from service.api.schemas.responses import Answer
from service.gallery.base import Subject


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
