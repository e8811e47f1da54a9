"""The indexes of all collections."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from service.domain.access import require_collection
from service.domain.errors import CollectionNotFound
from service.gallery.base import FaceChecksum, References
from service.gallery.collection_index import CollectionIndex
from service.gallery.indexes.base import VectorIndex


class CollectionIndexes:
    """One index for each collection. Lookups need no lock; the caller makes changes one at a time.

    collections: the ids of the existing collections. Their indexes are built at once.
    load_references: reads the references of a collection from the records. None if it has no face.
    create_index: creates an empty index for a collection, by its id and its dimension.
    Raises StorageUnavailable.
    """

    def __init__(
        self,
        collections: Iterable[str],
        load_references: Callable[[str], References | None],
        create_index: Callable[[str, int], VectorIndex],
    ) -> None:
        self._load_references = load_references
        self._create_index = create_index
        # This dictionary is replaced and never changed in place. So another thread can read it at any time.
        self._by_collection = {collection: self._empty_index(collection) for collection in collections}
        for index in self._by_collection.values():
            index.rebuild()

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
    def face_count(self) -> int:
        """The number of faces in all indexes."""
        return sum(len(index) for index in self._by_collection.values())

    def put_empty(self, collection: str) -> None:
        """Give the collection an empty index."""
        self._by_collection = self._by_collection | {collection: self._empty_index(collection)}

    def remove(self, collection: str) -> None:
        """Remove the index of a deleted collection."""
        self._by_collection = {other: index for other, index in self._by_collection.items() if other != collection}

    def rebuild_where_wrong(self, checksums: Mapping[str, FaceChecksum]) -> bool:
        """Rebuild the indexes that disagree with the checksums of the records. Return whether there were any."""
        wrong = [
            index for collection, index in self._by_collection.items() if index.checksum() != checksums[collection]
        ]
        for index in wrong:
            index.rebuild()
        return bool(wrong)

    def _empty_index(self, collection: str) -> CollectionIndex:
        return CollectionIndex(partial(self._load_references, collection), partial(self._create_index, collection))
