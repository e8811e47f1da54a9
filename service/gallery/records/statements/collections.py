"""Statements about collections. `key` is the number of a collection, and not an access key.

Every statement that names a collection checks that the request sees it. The other statements get their `key` from here,
so no request reaches a collection that it does not see.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, case, delete, exists, func, insert, select, update

from service.domain.access import current_access, require_collection
from service.domain.errors import CollectionNotFound, ImportUnfinished
from service.gallery.base import Collection, EmbeddingModel, FaceChecksum, Page
from service.gallery.records.schema import COLLECTIONS, FACES, SUBJECTS
from service.gallery.records.statements import encryption
from service.gallery.records.statements.rows.paging import PageRequest, fetch_page

FIND: Select[Any] = select(
    COLLECTIONS.c.key, COLLECTIONS.c.model_id, COLLECTIONS.c.dimension, COLLECTIONS.c.unfinished_import
).where(COLLECTIONS.c.id == bindparam("collection"))
_UNBIND = (
    update(COLLECTIONS)
    .where(COLLECTIONS.c.key == bindparam("collection"), ~exists().where(FACES.c.collection == COLLECTIONS.c.key))
    .values(model_id=None, dimension=None)
)
"""These are constants because many requests run them. To build a statement takes longer than SQLite needs to run it."""


_FIND_AND_LOCK = FIND.with_for_update()
"""SQLite knows no such lock, and needs none: only one transaction changes anything."""
LOCKS_COLLECTIONS = "locks_collections"
"""The option of a connection that changes something. The collections that it finds do not change until it ends."""


@dataclass(frozen=True, slots=True)
class CollectionRow:
    """What other statements need of a collection.

    model: the model that made its faces. None if it has no face.
    unfinished_import: how far its import is. None if the collection is complete.
    """

    key: int
    model: EmbeddingModel | None
    unfinished_import: dict[str, Any] | None = None


def create(connection: Connection, collection: str, expires_after_days: int | None = None) -> bool:
    """Create the collection if it does not exist. Return whether it is new. Raises CollectionNotFound."""
    require_collection(collection)
    return ensure(connection, collection, expires_after_days)


def ensure(connection: Connection, collection: str, expires_after_days: int | None = None) -> bool:
    """Create a collection that must exist for all, if it does not exist. Return whether it is new."""
    if connection.scalar(select(exists().where(COLLECTIONS.c.id == collection))):
        return False
    row = insert(COLLECTIONS).values(
        id=collection,
        created_at=datetime.now(UTC),
        expires_after_days=expires_after_days,
        data_key=encryption.make_data_key(connection, collection),
    )
    connection.execute(row)
    return True


def find(connection: Connection, collection: str) -> CollectionRow:
    """Return the key and the model of the collection. Raises CollectionNotFound or ImportUnfinished."""
    return require_complete(find_any(connection, collection))


def require_complete(row: CollectionRow | None) -> CollectionRow:
    """Return the collection. Raises CollectionNotFound if there is none, or ImportUnfinished."""
    if row is None:
        raise CollectionNotFound
    if row.unfinished_import is not None:
        raise ImportUnfinished
    return row


def find_any(connection: Connection, collection: str) -> CollectionRow | None:
    """Return what `find` returns, also if an import of the collection is not finished. None if it does not exist."""
    require_collection(collection)
    statement = _FIND_AND_LOCK if connection.get_execution_options().get(LOCKS_COLLECTIONS) else FIND
    row = connection.execute(statement, {"collection": collection}).one_or_none()
    return None if row is None else found(row)


def found(row: Row[Any]) -> CollectionRow:
    """Return what a row of FIND says."""
    model = None if row.model_id is None else EmbeddingModel(row.model_id, row.dimension)
    return CollectionRow(row.key, model, row.unfinished_import)


def get(connection: Connection, collection: str) -> Collection:
    """Return the collection. Raises CollectionNotFound."""
    require_collection(collection)
    row = connection.execute(_select_collections().where(COLLECTIONS.c.id == collection)).one_or_none()
    if row is None:
        raise CollectionNotFound
    return _collection(row)


def keys(connection: Connection) -> dict[str, int]:
    """Return the key of every complete collection, by its id."""
    complete = COLLECTIONS.c.unfinished_import.is_(None)
    return dict(connection.execute(select(COLLECTIONS.c.id, COLLECTIONS.c.key).where(complete)).all())


def unfinished(connection: Connection) -> frozenset[str]:
    """Return the ids of the collections whose import is not finished."""
    return frozenset(connection.scalars(select(COLLECTIONS.c.id).where(COLLECTIONS.c.unfinished_import.is_not(None))))


def dimensions(connection: Connection) -> dict[int, int]:
    """Return the dimension of the embeddings of every collection that has a face, by its key."""
    known = select(COLLECTIONS.c.key, COLLECTIONS.c.dimension).where(COLLECTIONS.c.dimension.is_not(None))
    return dict(connection.execute(known).all())


def list_page(connection: Connection, request: PageRequest) -> Page[Collection]:
    """Return a page of all collections that the request sees."""
    statement, visible = _select_collections(), current_access().collections
    if visible is not None:
        statement = statement.where(COLLECTIONS.c.id.in_(visible))
    return fetch_page(connection, statement, COLLECTIONS.c.id, request, _collection)


def remove(connection: Connection, collection: str) -> None:
    """Delete the collection with its subjects and faces. Raises CollectionNotFound."""
    require_collection(collection)
    if not connection.execute(delete(COLLECTIONS).where(COLLECTIONS.c.id == collection)).rowcount:
        raise CollectionNotFound


def bind_model(connection: Connection, key: int, model: EmbeddingModel) -> None:
    """Bind the collection to the model of its faces. Its other model is another one, or none."""
    other = func.nullif(COLLECTIONS.c.other_model_id, model.id)
    values = {"model_id": model.id, "dimension": model.dimension, "other_model_id": other}
    connection.execute(update(COLLECTIONS).where(COLLECTIONS.c.key == key).values(values))


def unbind_model_if_empty(connection: Connection, key: int) -> None:
    """Unbind the collection from its model if it has no face left. The next face can then be of another model."""
    connection.execute(_UNBIND, {"collection": key})


def checksums(connection: Connection) -> dict[str, FaceChecksum]:
    """Return the checksum of every collection, by its id. No embedding is read, only an index of the table of faces."""
    sums = (func.coalesce(func.sum(column), 0) for column in (FACES.c.number, FACES.c.subject))
    all_faces = select(COLLECTIONS.c.id, func.count(FACES.c.number), *sums).outerjoin_from(
        COLLECTIONS, FACES, FACES.c.collection == COLLECTIONS.c.key
    )
    rows = connection.execute(all_faces.group_by(COLLECTIONS.c.key))
    return {collection: FaceChecksum(*map(int, checksum)) for collection, *checksum in rows}


def _select_collections() -> Select[Any]:
    subjects = select(func.count()).where(SUBJECTS.c.collection == COLLECTIONS.c.key)
    faces = select(func.count()).where(FACES.c.collection == COLLECTIONS.c.key)
    return select(
        COLLECTIONS.c.id,
        COLLECTIONS.c.model_id,
        subjects.scalar_subquery().label("subjects"),
        faces.scalar_subquery().label("faces"),
        COLLECTIONS.c.created_at,
        COLLECTIONS.c.expires_after_days,
        case((COLLECTIONS.c.uses_own_calibration, "own"), else_="model").label("calibration"),
        COLLECTIONS.c.unfinished_import.is_not(None).label("import_unfinished"),
    )


def _collection(row: Row[Any]) -> Collection:
    return Collection(**row._asdict())
