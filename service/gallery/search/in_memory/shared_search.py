"""Search in the memory of each of several replicas. Before each search, its index makes the changes of all replicas."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from typing import cast

from service.domain.access import FULL_ACCESS, work_with
from service.domain.embedding import Embeddings
from service.domain.errors import CollectionNotFound, IndexBuilding, StorageUnavailable
from service.gallery.base import FaceChecksum, References
from service.gallery.indexes.base import CreateIndex
from service.gallery.records.database import Database
from service.gallery.records.postgresql.shared_faces import SharedFaces
from service.gallery.records.statements import collections
from service.gallery.records.stored_faces import CollectionsOfReplicas
from service.gallery.search.face_search import OpenSearch
from service.gallery.search.in_memory.collection_indexes import CollectionIndexes
from service.gallery.search.in_memory.followed_index import FollowedIndex
from service.gallery.search.in_memory.owned_faces import FaceChanged
from service.gallery.search.in_memory.search import AGREEMENT_S, IDLE_INDEXES_S, REWRITES_S, count_checked
from service.gallery.search_values import Found, SearchQuestion
from service.gallery.threads import every

CATCH_UP_S = 5.0
"""How often indexes that are not searched make the changes. So deleted faces leave them soon."""
COMPARE_S = 300.0
"""How often the indexes are compared with the records."""


def in_memory_of_replicas(create_index: CreateIndex) -> OpenSearch:
    """Return what opens the search of a replica. create_index: creates an empty index."""
    return partial(SharedSearch, create_index=create_index)


class SharedSearch(CollectionsOfReplicas, CollectionIndexes):
    """The indexes of one replica. What the gallery says of its own changes is not needed: they are in the records."""

    index_type = FollowedIndex

    def __init__(self, database: Database, writing: threading.Lock, create_index: CreateIndex) -> None:
        self._database = database
        self._reading = threading.Lock()
        self._keys = _keys(database)
        stored = partial(SharedFaces, database)
        super().__init__(count_checked(database), stored, create_index, writing)
        self._chores = [
            every(CATCH_UP_S, self.catch_up),
            every(IDLE_INDEXES_S, self.discard_idle),
            every(REWRITES_S, self.rewrite),
            every(AGREEMENT_S, self.measure_agreement),
            every(COMPARE_S, self.compare),
        ]

    @property
    def chores(self) -> Sequence[Callable[[], None]]:
        """What a thread calls every second."""
        return self._chores

    def find(self, question: SearchQuestion, probes: Embeddings) -> Found:
        """Find the nearest subjects of each probe. Raises ModelMismatch, StorageUnavailable or IndexBuilding."""
        for lock in (nullcontext(), nullcontext(), self._locked(question.collection)):
            with lock, suppress(FaceChanged):
                self._followed(question.collection).catch_up()
                return self._find_once(question, probes)
        raise StorageUnavailable

    @contextmanager
    def _locked(self, collection: str) -> Iterator[None]:
        """Let no replica change the collection. A search beside many changes of the same faces needs this."""
        with self._database.committing(lambda: None) as connection:
            collections.find(connection, collection)
            yield

    def _followed(self, collection: str) -> FollowedIndex:
        return cast("FollowedIndex", self[collection])  # all are of `index_type`

    def check(self) -> None:
        """Raise IndexBuilding while a large index is built."""
        self.require_built()

    def catch_up(self) -> None:
        """Make the changes of all replicas in all indexes. Raises StorageUnavailable."""
        for collection in self.collections:
            with work_with(FULL_ACCESS), suppress(CollectionNotFound):
                self._followed(collection).catch_up()

    def compare(self) -> None:
        """Compare the indexes with the records, and build those again that disagree.

        Something may be changed between two readings. So an index that seems wrong is compared once more while nobody
        can change its collection.
        """
        self.catch_up()
        checksums = self._checksums()
        for collection in self.collections:
            if self._is_wrong(collection, checksums):
                with work_with(FULL_ACCESS), suppress(CollectionNotFound):
                    self._compare_alone(collection)

    def _compare_alone(self, collection: str) -> None:
        with self._locked(collection):
            index = self._followed(collection)
            index.catch_up()
            is_wrong = self._is_wrong(collection, self._checksums())
        if is_wrong:
            index.discard()
            with suppress(IndexBuilding):
                index.build()

    def _is_wrong(self, collection: str, checksums: Mapping[str, FaceChecksum]) -> bool:
        index = self._by_collection.get(collection)
        return index is not None and index.checksum() not in (None, checksums.get(collection))

    def _checksums(self) -> Mapping[str, FaceChecksum]:
        with self._database.reading() as connection:
            return collections.checksums(connection)

    def read_collections(self) -> None:
        """Read again which collections there are, after another replica changed them.

        A collection that was deleted and created again has another key, and gets a new index.
        """
        with self._reading:  # a change of this replica and the beginning of a request read them at the same time
            keys = _keys(self._database)
            for collection in self._keys.keys() - keys.keys():
                super().remove_collection(collection)
            for collection, key in keys.items():
                if self._keys.get(collection) != key:
                    super().add_collection(collection)
            self._keys = keys

    def add_collection(self, collection: str, faces: int = 0) -> None:  # noqa: ARG002
        """Read which collections there are."""
        self.read_collections()

    def remove_collection(self, collection: str) -> None:  # noqa: ARG002
        """Read which collections there are."""
        self.read_collections()

    def add(self, collection: str, new: References) -> None:
        """Do nothing: the next search reads the change from the records."""

    def remove(self, collection: str, numbers: Sequence[int]) -> None:
        """Do nothing, as `add`."""

    def move(self, collection: str, numbers: Sequence[int], subject: int) -> None:
        """Do nothing, as `add`."""


def _keys(database: Database) -> dict[str, int]:
    with database.reading() as connection:
        return collections.keys(connection)
