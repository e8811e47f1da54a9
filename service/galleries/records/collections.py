"""Statements about collections."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, exists, func, insert, select, update

from service.errors import CollectionNotFound
from service.galleries.base import Collection, ModelRef, Page
from service.galleries.records.paging import Span, page
from service.galleries.records.schema import COLLECTIONS, FACES, SUBJECTS
from service.galleries.shelf import Tally


@dataclass(frozen=True, slots=True)
class Place:
    """Where a collection's subjects and faces are. model: what made its faces' embeddings, None where it has none."""

    key: int
    model: ModelRef | None


def create(connection: Connection, collection: str) -> bool:
    """Whether it is new; again changes nothing."""
    if connection.scalar(select(exists().where(COLLECTIONS.c.id == collection))):
        return False
    connection.execute(insert(COLLECTIONS).values(id=collection, created_at=datetime.now(UTC)))
    return True


def place(connection: Connection, collection: str) -> Place:
    """Raises CollectionNotFound."""
    columns = COLLECTIONS.c.key, COLLECTIONS.c.model_id, COLLECTIONS.c.dimension
    row = connection.execute(select(*columns).where(COLLECTIONS.c.id == collection)).one_or_none()
    if row is None:
        raise CollectionNotFound
    return Place(row.key, None if row.model_id is None else ModelRef(row.model_id, row.dimension))


def get(connection: Connection, collection: str) -> Collection:
    """Raises CollectionNotFound."""
    row = connection.execute(_collections().where(COLLECTIONS.c.id == collection)).one_or_none()
    if row is None:
        raise CollectionNotFound
    return _collection(row)


def listed(connection: Connection, span: Span) -> Page[Collection]:
    """All of them, in parts."""
    return page(connection, _collections(), COLLECTIONS.c.id, span, _collection)


def remove(connection: Connection, collection: str) -> None:
    """With its subjects and their faces. Raises CollectionNotFound."""
    if not connection.execute(delete(COLLECTIONS).where(COLLECTIONS.c.id == collection)).rowcount:
        raise CollectionNotFound


def bind(connection: Connection, key: int, model: ModelRef) -> None:
    """With the first face."""
    connection.execute(
        update(COLLECTIONS).where(COLLECTIONS.c.key == key).values(model_id=model.id, dimension=model.dimension)
    )


def unbind_if_empty(connection: Connection, key: int) -> None:
    """With the last face, so that another model may begin."""
    no_face = ~exists().where(FACES.c.collection == COLLECTIONS.c.key)
    connection.execute(
        update(COLLECTIONS).where(COLLECTIONS.c.key == key, no_face).values(model_id=None, dimension=None)
    )


def tallies(connection: Connection) -> dict[str, Tally]:
    """Of every collection, by its id: what an index of it must hold. From the index of faces alone, without vectors."""
    faces = func.count(FACES.c.number), func.coalesce(func.sum(FACES.c.number), 0)
    every = select(COLLECTIONS.c.id, *faces).outerjoin_from(COLLECTIONS, FACES, FACES.c.collection == COLLECTIONS.c.key)
    return {collection: Tally(*tally) for collection, *tally in connection.execute(every.group_by(COLLECTIONS.c.key))}


def _collections() -> Select[Any]:
    subjects = select(func.count()).where(SUBJECTS.c.collection == COLLECTIONS.c.key)
    faces = select(func.count()).where(FACES.c.collection == COLLECTIONS.c.key)
    return select(
        COLLECTIONS.c.id,
        COLLECTIONS.c.model_id,
        subjects.scalar_subquery().label("subjects"),
        faces.scalar_subquery().label("faces"),
        COLLECTIONS.c.created_at,
    )


def _collection(row: Row[Any]) -> Collection:
    return Collection(**row._asdict())
