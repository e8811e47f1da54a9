"""The indexes of all collections."""

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Protocol

from service.domain.access import require_collection
from service.domain.errors import CollectionNotFound, IndexBuilding
from service.gallery.base import FaceChecksum
from service.gallery.collection_index import SMALL_FACES, CollectionIndex
from service.gallery.indexes.background import Background
from service.gallery.indexes.base import (
    NO_SNAPSHOTS,
    CreateIndex,
    IndexState,
    ReadVectors,
    Snapshots,
    StoredFaces,
    VectorIndex,
)
from service.gallery.indexes.rotated import RotatedIndex
from service.gallery.indexes.rotation import derive_rotation

IDLE_S = 600.0
"""A small index that was not used for so long is discarded. So thousands of small collections take little memory."""


class StoredCollection(StoredFaces, Protocol):
    """The faces of a collection in the records, and how they leave the records for an index."""

    def key(self) -> int:
        """Return the key of the collection. After the first call, it is known."""
        ...

    def rotation_secret(self) -> bytes | None:
        """Return the secret of the rotation of the vectors. None if they are not rotated."""
        ...


class CollectionIndexes:
    """One index for each collection. Lookups need no lock; the caller makes changes one at a time.

    A small index is built when it is first used. The others are built in the background from the beginning.

    faces: the ids of the existing collections, and how many faces each has.
    open_stored: gives access to the faces of a collection in the records.
    create_index: creates an empty index.
    snapshots: what large indexes leave for the next start.
    background: builds and rewrites. checks: compares with exact search, and keeps no rewrite waiting.
    """

    def __init__(
        self,
        faces: Mapping[str, int],
        open_stored: Callable[[str], StoredCollection],
        create_index: CreateIndex,
        snapshots: Snapshots = NO_SNAPSHOTS,
    ) -> None:
        self._open_stored = open_stored
        self._create_index = create_index
        self._snapshots = snapshots
        self.background = Background()
        self.checks = Background()
        snapshots.keep_only(
            {open_stored(collection).key() for collection, count in faces.items() if count > SMALL_FACES}
        )
        # This dictionary is replaced and never changed in place. So another thread can read it at any time.
        self._by_collection = {collection: self._index(collection, count) for collection, count in faces.items()}
        for index in self._by_collection.values():
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

    def state(self, collection: str) -> IndexState | None:
        """Return what is known of an index. None if it is not in memory, or if there is no such collection."""
        index = self._by_collection.get(collection)
        return None if index is None else index.state

    @property
    def face_count(self) -> int:
        """The number of faces in all collections."""
        return sum(len(index) for index in self._by_collection.values())

    def put_empty(self, collection: str) -> None:
        """Give a new collection an index. A former collection of this id was deleted."""
        if collection in self._by_collection:
            self._by_collection[collection].forget()
        self._by_collection = self._by_collection | {collection: self._index(collection, 0)}

    def remove(self, collection: str) -> None:
        """Remove the index of a deleted collection, and its snapshot."""
        self._by_collection[collection].forget()
        self._by_collection = {other: index for other, index in self._by_collection.items() if other != collection}

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
        for index in self._by_collection.values():
            index.require_built()

    @property
    def have_stale_snapshots(self) -> bool:
        """Whether a snapshot can hold deleted faces."""
        return any(index.has_stale_snapshot for index in self._by_collection.values())

    def stop(self) -> None:
        """End what is done in the background, and write the snapshots that are not up to date."""
        self.checks.stop()
        self.background.stop()
        for index in self._by_collection.values():
            index.end()

    def save(self) -> None:
        """Write the snapshots that are not up to date, in the background."""
        for index in self._by_collection.values():
            index.save()

    @property
    def lowest_agreement(self) -> float:
        """The lowest share of faces that an index found as exact search does. 1 if all are exact, NaN if not measured.

        An index that is not in memory is left out.
        """
        states = [state for index in self._by_collection.values() if (state := index.state) and not state.is_exact]
        measured = [state.agreement.share for state in states if state.agreement]
        return min(measured, default=math.nan if states else 1.0)

    def measure_agreement(self) -> None:
        """Compare the indexes that are not exact with exact search, in the background, if it is time for it."""
        for index in self._by_collection.values():
            index.measure_agreement(self.checks)

    def discard_idle(self) -> None:
        """Discard the small indexes that were not used for a while."""
        for index in self._by_collection.values():
            index.discard_if_idle(IDLE_S)

    def _index(self, collection: str, faces: int) -> CollectionIndex:
        stored = self._open_stored(collection)
        if faces > SMALL_FACES:
            stored.key()  # it has a snapshot, which must be found even after the collection was deleted

        def create(dimension: int, read: ReadVectors) -> VectorIndex:
            """Create an empty index. In an encrypted gallery, it gets rotated vectors only."""
            secret = stored.rotation_secret()
            if secret is None:
                return self._create_index(dimension, read)
            return RotatedIndex(self._create_index, derive_rotation(secret, dimension), read)

        return CollectionIndex(stored, create, self.background, lambda: self._snapshots.file_of(stored.key()), faces)
