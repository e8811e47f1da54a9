"""The faces of a collection that several replicas change, and their changes since a moment.

A trigger writes each change into the table `face_changes`. A transaction that changes a collection has locked its row.
So the changes of one collection have numbers in the order of their commits, and none can appear before an earlier one.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import Connection, text

from service.domain.access import FULL_ACCESS, work_with
from service.gallery.base import FaceNumbers, References
from service.gallery.records.database import Database
from service.gallery.records.statements import collections, indexed_faces
from service.gallery.records.stored_faces import StoredFaces

KEPT = timedelta(hours=1)
"""How long changes are kept for replicas that have not made them yet."""
TRUSTED = KEPT / 2
"""A replica that has not asked for so long may have missed changes."""
_NOW = text("SELECT clock_timestamp()")
_LAST = text("SELECT coalesce(max(sequence), 0) FROM face_changes WHERE collection = :collection")
_SINCE = text("""
    SELECT clock_timestamp() AS now, max(sequence) AS last, array_agg(DISTINCT number ORDER BY number) AS numbers,
        (SELECT model_id FROM collections WHERE key = :collection) AS model_id
    FROM face_changes WHERE collection = :collection AND sequence > :sequence
""")
_PRUNE = text("DELETE FROM face_changes WHERE changed_at < :before")


@dataclass(frozen=True, slots=True)
class Position:
    """Up to which change a replica has made them, and when it asked (the clock of the database)."""

    sequence: int
    asked_at: datetime


@dataclass(frozen=True, slots=True, eq=False)
class ChangedFaces:
    """Faces that were stored, moved or deleted.

    numbers: (n,) int64, ascending. model_id: of the collection. None if it has no face.
    position: where the next changes begin.
    """

    numbers: FaceNumbers
    model_id: str | None
    position: Position


class SharedFaces(StoredFaces):
    """The faces of one collection, and their changes. Every method raises StorageUnavailable or CollectionNotFound."""

    def position(self) -> Position:
        """Return the position of the last change."""
        with self._database.reading() as connection:
            key = {"collection": self._find_key(connection)}
            return Position(connection.execute(_LAST, key).scalar_one(), _now(connection))

    def changed_since(self, position: Position) -> ChangedFaces | None:
        """Return the faces that were changed after a position. None if some changes may be gone."""
        wanted = {"collection": self.key(), "sequence": position.sequence}
        with self._database.reading_once() as connection:
            row = connection.execute(_SINCE, wanted).one()
        if row.now - position.asked_at > TRUSTED:
            return None
        next_position = Position(row.last or position.sequence, row.now)
        return ChangedFaces(np.array(row.numbers or [], np.int64), row.model_id, next_position)

    def references(self, numbers: FaceNumbers) -> References | None:
        """Return those of the numbers, ascending, that are stored, with their subjects. None if there are none."""
        with work_with(FULL_ACCESS), self._database.reading() as connection:
            row = collections.find(connection, self._collection)
            found = indexed_faces.read_faces(connection, row.key, numbers)
            if row.model is None or found is None:
                return None
            return References(row.model, found.numbers, found.subjects, found.embeddings)


def prune_changes(database: Database) -> None:
    """Delete the changes that every replica has made, or will not make any more. Raises StorageUnavailable."""
    with database.committing(lambda: None) as connection:
        connection.execute(_PRUNE, {"before": _now(connection) - KEPT})


def _now(connection: Connection) -> datetime:
    now: datetime = connection.execute(_NOW).scalar_one()
    return now
