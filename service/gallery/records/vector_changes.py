"""What a search server beside the records is to be told: faces whose vectors it gets, and faces that it deletes.

A change is written in the transaction of its faces, and applied afterwards, also after a crash. A new face stays here
for a while after that, because the server can take some seconds until it finds the face.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, func, select, true, update

from service.domain.access import require_collection
from service.gallery.base import References
from service.gallery.records.schema import COLLECTIONS, VECTOR_CHANGES
from service.gallery.records.statements import collections
from service.gallery.records.statements.collections import CollectionRow
from service.gallery.records.statements.rows.insertion import insert_rows

MOST_AT_ONCE = 1_000
"""How many changes are applied together. SQLite accepts 32,766 parameters in a statement."""

TABLE = VECTOR_CHANGES.name
_CHANGE = VECTOR_CHANGES.c
_IS_WAITING = _CHANGE.applied_at.is_(None)
_COLLECTION_AND_NEW_FACES = (
    collections.FIND.add_columns(_CHANGE.face)
    .outerjoin_from(COLLECTIONS, VECTOR_CHANGES, (_CHANGE.collection == COLLECTIONS.c.key) & ~_CHANGE.is_deletion)
    .limit(bindparam("most"))
)
_WAITING_FACES = (
    select(_CHANGE.face)
    .where(_IS_WAITING, _CHANGE.collection == bindparam("collection"), ~_CHANGE.is_deletion)
    .limit(bindparam("most"))
)
_WAITING = (
    select(_CHANGE.number, _CHANGE.collection, _CHANGE.face, _CHANGE.is_deletion, _CHANGE.is_begun)
    .where(_IS_WAITING)
    .order_by(_CHANGE.number)
    .limit(bindparam("most"))
)
_WAITING_BETWEEN = select(_CHANGE.face).where(
    _IS_WAITING, ~_CHANGE.is_deletion, _CHANGE.face > bindparam("after"), _CHANGE.face <= bindparam("last")
)
_OF_NUMBERS = _CHANGE.number.in_(bindparam("numbers", expanding=True))


@dataclass(frozen=True, slots=True)
class VectorChange:
    """A change that the server is still to get.

    collection: its key. face: its number. None: all faces of a deleted collection.
    is_begun: whether the server may have the change already.
    """

    number: int
    collection: int
    face: int | None
    is_deletion: bool
    is_begun: bool


class VectorChanges:
    """Notes the changes of faces for a server, in the transaction of the faces."""

    tables: tuple[str, ...] = ()

    def store(self, connection: Connection, collection: int, new: References) -> None:
        """Note new faces. collection: the key."""
        _note(connection, collection, new.numbers.tolist(), is_deletion=False)

    def remove(self, connection: Connection, collection: int, numbers: Sequence[int]) -> None:
        """Note deleted faces."""
        _note(connection, collection, numbers, is_deletion=True)

    def remove_collection(self, connection: Connection, collection: int) -> None:
        """Note a deleted collection."""
        _note(connection, collection, [None], is_deletion=True)


def collection_and_new_faces(connection: Connection, collection: str, most: int) -> tuple[CollectionRow, list[int]]:
    """Return the collection, and the numbers of its faces that the server may not find yet, at most `most`.

    It is one statement, because each search asks. Raises CollectionNotFound or ImportUnfinished.
    """
    require_collection(collection)
    rows = connection.execute(_COLLECTION_AND_NEW_FACES, {"collection": collection, "most": most}).all()
    row = collections.require_complete(collections.found(rows[0]) if rows else None)
    return row, [one.face for one in rows if one.face is not None]


def waiting_faces(connection: Connection, collection: int, most: int) -> list[int]:
    """Return the numbers of faces that the server may not have got yet, at most `most`. collection: the key."""
    return list(connection.scalars(_WAITING_FACES, {"collection": collection, "most": most}))


def waiting_between(connection: Connection, after: int, last: int) -> set[int]:
    """Return the numbers after `after`, up to `last`, of the faces that the server may not have got yet."""
    return set(connection.scalars(_WAITING_BETWEEN, {"after": after, "last": last}))


def waiting(connection: Connection, most: int = MOST_AT_ONCE) -> list[VectorChange]:
    """Return the oldest changes that the server is still to get, at most `most`.

    A face is deleted after it was enrolled. So its deletion never comes before it.
    """
    return [VectorChange(*row) for row in connection.execute(_WAITING, {"most": most})]


def has_waiting_deletion(connection: Connection) -> bool:
    """Return whether the server is still to delete something."""
    return connection.scalar(select(true()).where(_IS_WAITING, _CHANGE.is_deletion).limit(1)) is not None


def note_begun(connection: Connection, numbers: Sequence[int]) -> None:
    """Note that the server may get these changes from now on. numbers: of the changes."""
    connection.execute(update(VECTOR_CHANGES).where(_OF_NUMBERS).values(is_begun=True), {"numbers": numbers})


def note_applied(connection: Connection, changes: Sequence[VectorChange]) -> None:
    """Note that the server has these changes. Deletions are forgotten at once."""
    deletions = [change.number for change in changes if change.is_deletion]
    connection.execute(delete(VECTOR_CHANGES).where(_OF_NUMBERS), {"numbers": deletions})
    additions = [change.number for change in changes if not change.is_deletion]
    now = _now(connection)
    connection.execute(update(VECTOR_CHANGES).where(_OF_NUMBERS).values(applied_at=now), {"numbers": additions})


def forget_applied(connection: Connection, after: timedelta) -> int:
    """Forget new faces that the server got so long ago. Return how many."""
    forgotten: int = connection.execute(
        delete(VECTOR_CHANGES).where(_CHANGE.applied_at <= _now(connection) - after)
    ).rowcount
    return forgotten


def has_applied(connection: Connection) -> bool:
    """Return whether `forget_applied` will have something to forget."""
    return connection.scalar(select(true()).where(_CHANGE.applied_at.is_not(None)).limit(1)) is not None


def _note(connection: Connection, collection: int, faces: Sequence[int | None], *, is_deletion: bool) -> None:
    common = {"collection": collection, "is_deletion": is_deletion, "is_begun": False}
    insert_rows(connection, VECTOR_CHANGES, [{**common, "face": face} for face in faces])


def _now(connection: Connection) -> datetime:
    """Return the time of the database, which is one for all replicas, in UTC."""
    if connection.dialect.name == "sqlite":
        return datetime.now(UTC)
    found: datetime = connection.execute(select(func.now())).scalar_one()
    return found.astimezone(UTC)
