"""/collections."""

from datetime import datetime
from typing import Self

from pydantic import Field

from service.api.schemas.fields import Body, Id
from service.api.schemas.responses import Answer
from service.gallery.base import Collection
from service.model_files.card import ModelId

ExpiresAfterDays = Field(
    None,
    ge=1,
    le=36_500,
    strict=True,
    description="faces, and subjects without faces, are deleted when they are this old. Null: never",
)


class CollectionFields(Body):
    """How long a collection keeps faces."""

    expires_after_days: int | None = ExpiresAfterDays


class CollectionAnswer(Answer):
    """A collection. `model` is null until the first face binds the collection to a model."""

    id: Id
    model: ModelId | None
    subjects: int
    faces: int
    created_at: datetime
    expires_after_days: int | None = ExpiresAfterDays

    @classmethod
    def of(cls, collection: Collection) -> Self:
        """Describe a collection."""
        return cls(
            id=collection.id,
            model=collection.model_id,
            subjects=collection.subjects,
            faces=collection.faces,
            created_at=collection.created_at,
            expires_after_days=collection.expires_after_days,
        )


class CollectionsAnswer(Answer):
    """A page of collections."""

    items: list[CollectionAnswer]
    next_cursor: str | None
