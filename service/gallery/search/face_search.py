"""The interface of what searches the faces of a gallery.

Two kinds of it exist: indexes in memory (`in_memory/`), and vectors in the database (`records/postgresql/`).
"""

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Protocol

from service.domain.embedding import Embeddings
from service.gallery.base import EmbeddingModel, References
from service.gallery.records.database import Database
from service.gallery.search_values import Found, IndexState, SearchQuestion


class FaceSearch(Protocol):
    """Searches the faces of all collections.

    The gallery tells it what was committed, in the order of the commits, one change at a time. Methods that name a
    collection raise CollectionNotFound, also if the request does not see it. All raise StorageUnavailable.

    face_count: the number of faces in all collections.
    has_remains: whether files of its own can still hold deleted faces.
    lowest_agreement: the lowest share of faces that were found as exact search finds them. NaN if it was not measured.
    is_idle: whether nothing is built in the background.
    chores: what a thread calls every second. They may raise StorageUnavailable.
    """

    @property
    def face_count(self) -> int: ...

    @property
    def has_remains(self) -> bool: ...

    @property
    def lowest_agreement(self) -> float: ...

    @property
    def is_idle(self) -> bool: ...

    @property
    def chores(self) -> Sequence[Callable[[], None]]: ...

    def __contains__(self, collection: str) -> bool: ...

    def find(self, question: SearchQuestion, probes: Embeddings) -> Found:
        """Find the nearest subjects of each probe. probes: (n, d) float32, unit length.

        Raises ModelMismatch, or IndexBuilding while a large index is built.
        """
        ...

    def known_model(self, collection: str) -> EmbeddingModel | None:
        """Return the model that made the faces of the collection, if that is known without reading."""
        ...

    def model(self, collection: str) -> EmbeddingModel | None:
        """Return the model that made the faces of the collection. None if it has no face."""
        ...

    def count_faces(self, collection: str) -> int:
        """Return how many faces the collection has."""
        ...

    def state(self, collection: str) -> IndexState | None:
        """Return what is known of an index. None if nothing is, or if there is no such collection."""
        ...

    def check(self) -> None:
        """Raise StorageUnavailable or IndexBuilding if searches cannot be answered, or not rightly, for now."""
        ...

    def add_collection(self, collection: str, faces: int = 0) -> None:
        """Search a new collection. A former collection of this id was deleted. faces: how many the records have."""
        ...

    def remove_collection(self, collection: str) -> None:
        """Forget a deleted collection."""
        ...

    def read_collections(self) -> None:
        """Read again which collections there are, after another process changed them."""
        ...

    def add(self, collection: str, new: References) -> None:
        """Search new faces too."""
        ...

    def remove(self, collection: str, numbers: Sequence[int]) -> None:
        """Find deleted faces no longer."""
        ...

    def move(self, collection: str, numbers: Sequence[int], subject: int) -> None:
        """Find faces as those of another subject. subject: its key in the records."""
        ...

    def stop(self) -> None:
        """End what is done in the background."""
        ...


OpenSearch = Callable[[Database, Lock], FaceSearch]
"""Opens the search of a database. It gets the lock of the gallery for changes. It raises StorageUnavailable."""
