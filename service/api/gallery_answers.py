"""What goes out of the gallery, field by field."""

from datetime import datetime
from typing import Literal, Self

from service.api.answers import Answer, BoxAnswer, ModelAnswer, WarningAnswer
from service.api.fields import Id, ModelId
from service.galleries.base import Collection, EnrolledFace, Subject


class CollectionAnswer(Answer):
    """A gallery. `model` is null until the first face binds it to one."""

    id: Id
    model: ModelId | None
    subjects: int
    faces: int
    created_at: datetime

    @classmethod
    def of(cls, collection: Collection) -> Self:
        """As the records have it."""
        return cls(
            id=collection.id,
            model=collection.model_id,
            subjects=collection.subjects,
            faces=collection.faces,
            created_at=collection.created_at,
        )


class SubjectAnswer(Answer):
    """A person of a collection."""

    id: Id
    name: str | None
    metadata: dict[str, object]
    faces: int
    created_at: datetime

    @classmethod
    def of(cls, subject: Subject) -> Self:
        """As the records have it."""
        return cls(
            id=subject.id,
            name=subject.name,
            metadata=subject.metadata,
            faces=subject.faces,
            created_at=subject.created_at,
        )


class EnrolledFaceAnswer(Answer):
    """A reference of the gallery. The photograph itself is not kept."""

    id: Id
    subject: Id
    image_sha256: str
    created_at: datetime

    @classmethod
    def of(cls, face: EnrolledFace) -> Self:
        """As the records have it."""
        return cls(id=face.id, subject=face.subject, image_sha256=face.image_sha256, created_at=face.created_at)


class CollectionsAnswer(Answer):
    """One page."""

    items: list[CollectionAnswer]
    next_cursor: str | None


class SubjectsAnswer(Answer):
    """One page."""

    items: list[SubjectAnswer]
    next_cursor: str | None


class FacesAnswer(Answer):
    """One page."""

    items: list[EnrolledFaceAnswer]
    next_cursor: str | None


class EnrolmentResult(Answer):
    """What became of one image: `face` is the id that was made or, where it is known, the existing one."""

    status: Literal["enrolled", "known", "refused"]
    face: Id | None
    code: str | None
    detail: str | None
    box: BoxAnswer | None
    warnings: list[WarningAnswer]


class EnrolmentAnswer(Answer):
    """One result an image, in the order of the request."""

    results: list[EnrolmentResult]
    model: ModelAnswer
