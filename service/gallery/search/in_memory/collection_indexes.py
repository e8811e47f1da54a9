"""The indexes of all collections. One process makes all changes, so they never miss one."""

import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from functools import partial

from service.domain.access import require_collection
from service.domain.embedding import Embeddings
from service.domain.errors import CollectionNotFound, IndexBuilding, StorageUnavailable
from service.gallery.base import EmbeddingModel, FaceChecksum, References
from service.gallery.indexes.base import NO_SNAPSHOTS, CreateIndex, ReadVectors, Snapshot, Snapshots, VectorIndex
from service.gallery.indexes.rotated import RotatedIndex
from service.gallery.indexes.rotation import derive_rotation
from service.gallery.search.background import Background
from service.gallery.search.in_memory.collection_index import SMALL_FACES, CollectionIndex
from service.gallery.search.in_memory.owned_faces import FaceChanged, StoredCollection, candidates
from service.gallery.search_values import Found, IndexState, SearchQuestion

IDLE_S = 600.0
"""A small index that was not used for so long is discarded. So thousands of small collections take little memory."""


class CollectionIndexes:
    """One index for each collection. Lookups need no lock; the caller makes changes one at a time.

    A small index is built when it is first used. The others are built in the background from the beginning.

    faces: the ids of the existing collections, and how many faces each has.
    open_stored: gives access to the faces of a collection in the records.
    create_index: creates an empty index.
    writing: the lock of the gallery for changes.
    snapshots: what large indexes leave for the next start.
    background: builds and rewrites. checks: compares with exact search, and keeps no rewrite waiting.
    """

    index_type: type[CollectionIndex] = CollectionIndex

    def __init__(
        self,
        faces: Mapping[str, int],
        open_stored: Callable[[str], StoredCollection],
        create_index: CreateIndex,
        writing: threading.Lock,
        snapshots: Snapshots = NO_SNAPSHOTS,
    ) -> None:
        self._open_stored = open_stored
        self._create_index = create_index
        self._writing = writing
        self._snapshots = snapshots
        self.background = Background()
        self.checks = Background()
        snapshots.keep_only(
            {open_stored(collection).key() for collection, count in faces.items() if count > SMALL_FACES}
        )
        # This dictionary is replaced and never changed in place. So another thread can read it at any time.
        self._by_collection = {collection: self._index(collection, count) for collection, count in faces.items()}
        for index in self:
            with suppress(IndexBuilding):
                index.require_built()

    def __getitem__(self, collection: str) -> CollectionIndex:
        """Return the index of the collection. Raises CollectionNotFound, also if the request does not see it."""
        require_collection(collection)
        try:
            return self._by_collection[collection]
        except KeyError:
            raise CollectionNotFound from None

    def __contains__(self, collection: str) -> bool:
        return collection in self._by_collection

    @property
    def collections(self) -> frozenset[str]:
        """The ids of the collections."""
        return frozenset(self._by_collection)

    def __iter__(self) -> Iterator[CollectionIndex]:
        return iter(self._by_collection.values())

    def find(self, question: SearchQuestion, probes: Embeddings) -> Found:
        """Find the nearest subjects of each probe. Raises ModelMismatch, StorageUnavailable or IndexBuilding."""
        for lock in (nullcontext(), self._writing):  # with the second, no change is between the records and the index
            with lock, suppress(FaceChanged):
                return self._find_once(question, probes)
        raise StorageUnavailable

    def known_model(self, collection: str) -> EmbeddingModel | None:
        """Return the model that made the faces. None if there are none, or if the index is not in memory."""
        return self[collection].known_model

    def model(self, collection: str) -> EmbeddingModel | None:
        """Return the model that made the faces, if there are any. Raises StorageUnavailable or IndexBuilding."""
        return self[collection].model()

    def count_faces(self, collection: str) -> int:
        """Return how many faces the collection has. Reads no record."""
        return len(self[collection])

    def state(self, collection: str) -> IndexState | None:
        """Return what is known of an index. None if it is not in memory, or if there is no such collection."""
        index = self._by_collection.get(collection)
        return None if index is None else index.state

    @property
    def face_count(self) -> int:
        """The number of faces in all collections."""
        return sum(len(index) for index in self)

    @property
    def has_remains(self) -> bool:
        """Whether a snapshot can hold deleted faces."""
        return any(index.has_stale_snapshot for index in self)

    @property
    def lowest_agreement(self) -> float:
        """The lowest share of faces that an index found as exact search does. 1 if all are exact, NaN if not measured.

        An index that is not in memory is left out.
        """
        states = [state for index in self if (state := index.state) and not state.is_exact]
        measured = [state.agreement.share for state in states if state.agreement]
        return min(measured, default=math.nan if states else 1.0)

    @property
    def is_idle(self) -> bool:
        """Whether no index is built or rewritten."""
        return self.background.is_idle

    def add_collection(self, collection: str, faces: int = 0) -> None:
        """Give a new collection an index. A former collection of this id was deleted.

        faces: how many the records have. The index is built when it is first used, or at once in the background.
        """
        if collection in self._by_collection:
            self._by_collection[collection].forget()
        index = self._index(collection, faces)
        self._by_collection = self._by_collection | {collection: index}
        with suppress(IndexBuilding):
            index.require_built()

    def remove_collection(self, collection: str) -> None:
        """Remove the index of a deleted collection, and its snapshot."""
        self._by_collection[collection].forget()
        self._by_collection = {other: index for other, index in self._by_collection.items() if other != collection}

    def read_collections(self) -> None:
        """Do nothing: no other process changes them."""

    def add(self, collection: str, new: References) -> None:
        """Add faces that the records already hold."""
        self[collection].add(new)

    def remove(self, collection: str, numbers: Sequence[int]) -> None:
        """Remove faces that the records no longer hold."""
        self[collection].remove(numbers)

    def move(self, collection: str, numbers: Sequence[int], subject: int) -> None:
        """Give faces to another subject, as the records did. subject: its key in the records."""
        self[collection].move(numbers, subject)

    def rebuild_where_wrong(self, checksums: Mapping[str, FaceChecksum]) -> bool:
        """Rebuild the indexes that disagree with the checksums of the records. Return whether there were any.

        An index that is not built is not compared. It is made from the records.
        """
        wrong = [
            index
            for collection, index in self._by_collection.items()
            if index.checksum() not in (None, checksums[collection])
        ]
        for index in wrong:
            index.discard()
            with suppress(IndexBuilding):
                index.build()
        return bool(wrong)

    def require_built(self) -> None:
        """Raise IndexBuilding if a large index is not ready, or why it could not be built."""
        for index in self:
            index.require_built()

    def stop(self) -> None:
        """End what is done in the background, and write the snapshots that are not up to date."""
        self.checks.stop()
        self.background.stop()
        for index in self:
            index.end()

    def rewrite(self) -> None:
        """Rewrite the indexes that need it, in the background. Some need it only after some time."""
        for index in self:
            index.rewrite()

    def save(self) -> None:
        """Write the snapshots that are not up to date, in the background."""
        for index in self:
            index.save()

    def measure_agreement(self) -> None:
        """Compare the indexes that are not exact with exact search, in the background, if it is time for it."""
        for index in self:
            index.measure_agreement(self.checks)

    def discard_idle(self) -> None:
        """Discard the small indexes that were not used for a while."""
        for index in self:
            index.discard_if_idle(IDLE_S)

    def _find_once(self, question: SearchQuestion, probes: Embeddings) -> Found:
        index = self[question.collection]
        nearest, searched = index.search(probes, question.k, question.model)
        owners = index.stored.owners({face.number for row in nearest for face in row})
        return [candidates(row, owners) for row in nearest], searched

    def _index(self, collection: str, faces: int) -> CollectionIndex:
        stored = self._open_stored(collection)
        if faces > SMALL_FACES:
            stored.key()  # it has a snapshot, which must be found even after the collection was deleted
        create = partial(_create, stored, self._create_index)
        open_snapshot = partial(_snapshot, self._snapshots, stored)
        return self.index_type(stored, create, self.background, open_snapshot, faces)


def _snapshot(snapshots: Snapshots, stored: StoredCollection) -> Snapshot:
    return snapshots.file_of(stored.key())


def _create(stored: StoredCollection, create_index: CreateIndex, dimension: int, read: ReadVectors) -> VectorIndex:
    """Create an empty index. In an encrypted gallery, it gets rotated vectors only."""
    secret = stored.rotation_secret()
    if secret is None:
        return create_index(dimension, read)
    return RotatedIndex(create_index, derive_rotation(secret, dimension), read)
