"""/collections."""

from datetime import datetime
from typing import Self

from service.api.schemas.fields import Id
from service.api.schemas.responses import Answer
from service.gallery.base import Collection
from service.model_files.card import ModelId


class CollectionAnswer(Answer):
    """A collection. `model` is null until the first face binds the collection to a model."""

    id: Id
    model: ModelId | None
    subjects: int
    faces: int
    created_at: datetime

    @classmethod
    def of(cls, collection: Collection) -> Self:
        """Describe a collection."""
        return cls(
            id=collection.id,
            model=collection.model_id,
            subjects=collection.subjects,
            faces=collection.faces,
            created_at=collection.created_at,
        )


class CollectionsAnswer(Answer):
    """A page of collections."""

    items: list[CollectionAnswer]
    next_cursor: str | None
