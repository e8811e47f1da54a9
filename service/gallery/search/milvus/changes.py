"""Brings the changes of the records to Milvus, in their order. Every step can be repeated."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta

import numpy as np

from service.domain.waiting import require_waiting_client
from service.gallery.records import vector_changes
from service.gallery.records.database import Database
from service.gallery.records.statements import indexed_faces
from service.gallery.records.vector_changes import VectorChange
from service.gallery.search.milvus.server import MilvusServer
from service.gallery.search.milvus.stored_rows import FaceRows, mark_of

MANY_FORGOTTEN = 1_000
"""Each search reads the changes. After so many deletions of them, the database is told to skip the deleted rows."""
SHOWN_AFTER = timedelta(seconds=15)
"""After this time, a search that does not wait (Bounded) finds a new face. Milvus needs 5 s (`common.gracefulTime`)."""


def read_rows(database: Database, collection: int, numbers: Sequence[int]) -> FaceRows | None:
    """Return the rows of those faces that are still stored. None if there are none. collection: the key."""
    with database.reading() as connection:
        stored = indexed_faces.read_faces(connection, collection, np.array(sorted(numbers), np.int64))
    if stored is None:
        return None
    return FaceRows(collection, stored.numbers.tolist(), [mark_of(face) for face in stored.ids], stored.embeddings)


class ChangesToApply:
    """The changes that Milvus is still to get. One process of all replicas applies them at a time.

    has_deletions: whether Milvus was still to delete something when `look` was last called.
    deleted: how many deletions were applied.
    """

    def __init__(self, database: Database, server: MilvusServer) -> None:
        self._database = database
        self._server = server
        self.has_deletions = False
        self.deleted = 0

    def look(self) -> bool:
        """Return whether there are any. Raises StorageUnavailable."""
        with self._database.reading() as connection:
            self.has_deletions = vector_changes.has_waiting_deletion(connection)
            return bool(vector_changes.waiting(connection, most=1))

    def apply(self) -> None:
        """Apply all. Raises StorageUnavailable, SearchUnavailable or Abandoned."""
        while self._apply_some():
            require_waiting_client()
        self.has_deletions = False

    def _apply_some(self) -> bool:
        """Apply the oldest changes. Return whether there were any."""
        with self._database.reading() as connection:
            changes = vector_changes.waiting(connection)
        if not changes:
            return False
        new = list(self._read_new(changes))
        with self._database.committing(_nothing) as connection:
            vector_changes.note_begun(connection, [change.number for change in changes if not change.is_begun])
        self._delete(changes)
        for rows in new:
            self._server.insert(rows)
        with self._database.committing(_nothing) as connection:
            vector_changes.note_applied(connection, changes)
        return True

    def _delete(self, changes: Sequence[VectorChange]) -> None:
        """Delete the deleted faces, and new faces that Milvus may have got before a crash."""
        undone = [change.face for change in changes if change.face and (change.is_deletion or change.is_begun)]
        self._server.delete(undone)
        for change in changes:
            if change.face is None:
                self._server.delete_collection(change.collection)
        self.deleted += sum(change.is_deletion for change in changes)

    def forget_applied(self) -> None:
        """Forget new faces that a search finds without help. Raises StorageUnavailable."""
        with self._database.reading() as connection:
            has_applied = vector_changes.has_applied(connection)
        if has_applied:
            with self._database.committing(_nothing) as connection:
                forgotten = vector_changes.forget_applied(connection, SHOWN_AFTER)
            if forgotten > MANY_FORGOTTEN:
                self._database.skip_deleted_rows(vector_changes.TABLE)

    def _read_new(self, changes: Sequence[VectorChange]) -> Iterator[FaceRows]:
        """Yield the new faces of each collection. What was deleted since then is left out."""
        new: defaultdict[int, list[int]] = defaultdict(list)
        for change in changes:
            if change.face is not None and not change.is_deletion:
                new[change.collection].append(change.face)
        for collection, numbers in new.items():
            if (rows := read_rows(self._database, collection, numbers)) is not None:
                yield rows


def _nothing() -> None:
    """Note nothing: the change is not that of a request."""
