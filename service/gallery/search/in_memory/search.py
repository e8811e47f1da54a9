"""Search in memory: its start from the records, its checks, and what is done from time to time."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from service.domain.errors import StorageUnavailable
from service.gallery.base import FaceChecksum
from service.gallery.indexes.base import NO_SNAPSHOTS, CreateIndex, Snapshots
from service.gallery.records.database import Database
from service.gallery.records.statements import collections, indexed_faces
from service.gallery.records.stored_faces import StoredFaces
from service.gallery.search.face_search import OpenSearch
from service.gallery.search.in_memory.collection_index import SMALL_FACES
from service.gallery.search.in_memory.collection_indexes import CollectionIndexes
from service.gallery.threads import every

CHECK_WAIT_S = 0.5
"""How long the check waits for a change. A change can wait for a rewrite of the database, and the check may not."""
CHECKSUMS_S = 300.0
"""How often the check reads all checksums of the records again, although nothing was changed."""
IDLE_INDEXES_S = 60.0
"""How often small indexes that are not used are forgotten."""
REWRITES_S = 10.0
"""How often it is asked whether an index needs a rewrite, although it was not changed."""
SNAPSHOTS_S = 60.0
"""How often snapshots that are not up to date are written."""
AGREEMENT_S = 30.0
"""How often it is asked whether a compressed index is to be compared with exact search."""


def in_memory(create_index: CreateIndex, snapshots: Snapshots = NO_SNAPSHOTS) -> OpenSearch:
    """Return what opens the search with indexes in memory.

    create_index: creates an empty index. snapshots: what large indexes leave for the next start.
    """
    return partial(InMemorySearch, create_index=create_index, snapshots=snapshots)


class InMemorySearch(CollectionIndexes):
    """The indexes of a database, which are checked against it. Raises StorageUnavailable."""

    def __init__(
        self, database: Database, writing: threading.Lock, create_index: CreateIndex, snapshots: Snapshots
    ) -> None:
        self._database = database
        self._checksums: Mapping[str, FaceChecksum] = {}
        self._checksums_commits, self._checksums_until_s = -1, 0.0
        stored = partial(StoredFaces, database)
        super().__init__(count_checked(database), stored, create_index, writing, snapshots)
        self._chores = [
            every(IDLE_INDEXES_S, self.discard_idle),
            every(REWRITES_S, self.rewrite),
            every(SNAPSHOTS_S, self.save),
            every(AGREEMENT_S, self.measure_agreement),
        ]

    @property
    def chores(self) -> Sequence[Callable[[], None]]:
        """What a thread calls every second."""
        return self._chores

    def check(self) -> None:
        """Check that every index in memory holds the faces of the records.

        Raises StorageUnavailable otherwise. An index that disagrees is built again, so the next check succeeds. While a
        change takes long, nothing is compared. Raises IndexBuilding while a large index is built.
        """
        if self._writing.acquire(timeout=CHECK_WAIT_S):
            try:
                if self.rebuild_where_wrong(self._read_checksums()):
                    raise StorageUnavailable
            finally:
                self._writing.release()
        self.require_built()

    def _read_checksums(self) -> Mapping[str, FaceChecksum]:
        """Return the checksums of the records. A million faces take 0.3 s, so they are read only now and then."""
        commits, now_s = self._database.commits, time.monotonic()
        if commits != self._checksums_commits or now_s >= self._checksums_until_s:
            with self._database.reading() as connection:
                self._checksums = collections.checksums(connection)
            self._checksums_commits, self._checksums_until_s = commits, now_s + CHECKSUMS_S
        return self._checksums


def count_checked(database: Database) -> dict[str, int]:
    """Return how many faces each collection has, by its id. Raises StorageLost if an embedding is damaged."""
    with database.reading() as connection:
        counts = indexed_faces.count_faces(connection)
        for key, count in counts.items():
            if count <= SMALL_FACES:  # its index is built later, and a damaged embedding must stop the start
                indexed_faces.check_embeddings(connection, key)
        return {collection: counts.get(key, 0) for collection, key in collections.keys(connection).items()}
