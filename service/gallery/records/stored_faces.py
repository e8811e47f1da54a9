"""What a search reads of the records: the faces of a collection, and which collections there are."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from service.domain.access import FULL_ACCESS, require_collection, work_with
from service.domain.embedding import Embeddings
from service.gallery.base import EmbeddingModel, FaceNumbers
from service.gallery.records.database import Database
from service.gallery.records.statements import collections, indexed_faces
from service.gallery.records.statements.encryption import cipher
from service.gallery.records.statements.faces import FaceOwner


class StoredFaces:
    """The faces of one collection. Every method raises StorageUnavailable or CollectionNotFound.

    A probe without a key can notice that an index must be built, so all methods work with full access.
    collection: its id. Its key is read once: another collection that gets this id later is another one.
    """

    def __init__(self, database: Database, collection: str) -> None:
        self._database = database
        self._collection = collection
        self._known_key: int | None = None

    def key(self) -> int:
        """Return the key of the collection in the records."""
        if self._known_key is not None:
            return self._known_key
        with self._database.reading() as connection:
            return self._find_key(connection)

    def list(self) -> tuple[EmbeddingModel, FaceNumbers, NDArray[np.int64]] | None:
        """Return the model, the numbers of the faces, ascending, and the keys of their subjects. None if empty."""
        with work_with(FULL_ACCESS), self._database.reading() as connection:
            row = collections.find(connection, self._collection)
            return (row.model, *indexed_faces.list_numbers(connection, row.key)) if row.model else None

    def read(self, numbers: FaceNumbers) -> tuple[FaceNumbers, Embeddings]:
        """Return those of the numbers, ascending, that are stored, and their embeddings, (n, d) float32."""
        key = self.key()
        with self._database.reading_once() as connection:
            return indexed_faces.read_embeddings(connection, key, numbers)

    def owners(self, numbers: Collection[int]) -> dict[int, FaceOwner]:
        """Return the owners of faces, by the numbers of the faces. A face that does not exist is left out.

        Every search calls this. So there is no transaction: its begin and its end would take as long as the statement.
        Nothing is lost by it, because the search compares each owner with the index.
        """
        key = self.key()
        with self._database.reading_once() as connection:
            return indexed_faces.owners(connection, key, numbers)

    def rotation_secret(self) -> bytes | None:
        """Return the secret of the rotation of the vectors in an index. None if they are not rotated."""
        with self._database.reading() as connection:
            return cipher(connection, self._find_key(connection)).rotation_secret

    def _find_key(self, connection: Connection) -> int:
        if self._known_key is None:
            with work_with(FULL_ACCESS):
                self._known_key = collections.find(connection, self._collection).key
        return self._known_key


COUNTED_FACES = 20_000
"""Up to so many faces are counted for each search, which takes about as long as the search of one face does."""
COUNT_REST = 100.0
"""A larger count is used again for this many times as long as it took. So counting takes at most 1 % of the time."""


@dataclass(frozen=True, slots=True)
class _Count:
    """How many faces a collection had. until_s: time.monotonic."""

    faces: int
    until_s: float


class CollectionsOfReplicas:
    """What is known of collections that other replicas change too: what the records say now."""

    _database: Database

    @property
    def face_count(self) -> int:
        """The number of faces in all collections."""
        with self._database.reading() as connection:
            return sum(indexed_faces.count_faces(connection).values())

    def known_model(self, collection: str) -> None:
        """Return None: nothing is known without reading. Raises CollectionNotFound."""
        require_collection(collection)

    def model(self, collection: str) -> EmbeddingModel | None:
        """Return the model that made the faces of the collection. None if it has no face."""
        with self._database.reading_once() as connection:
            return collections.find(connection, collection).model

    def count_faces(self, collection: str) -> int:
        """Return how many faces the collection has."""
        with self._database.reading() as connection:
            return indexed_faces.count_faces_of(connection, collections.find(connection, collection).key)


class StoredCollections(CollectionsOfReplicas):
    """Which collections there are, and how many faces they have, for a search that keeps no faces in memory."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counts: dict[int, _Count] = {}
        self._collections: frozenset[str] = frozenset()
        self.read_collections()

    def __contains__(self, collection: str) -> bool:
        return collection in self._collections

    def read_collections(self) -> None:
        """Read again which collections there are, after another replica changed them."""
        with self._database.reading() as connection:
            self._collections = frozenset(collections.keys(connection))

    def add_collection(self, collection: str, faces: int = 0) -> None:  # noqa: ARG002
        """Note a new collection."""
        self._collections |= {collection}

    def remove_collection(self, collection: str) -> None:
        """Forget a deleted collection."""
        self._collections -= {collection}

    def move(self, collection: str, numbers: Sequence[int], subject: int) -> None:
        """Do nothing: a search reads the subject of a face."""

    def count_now(self, connection: Connection, key: int) -> int:
        """Return how many faces the collection has. Of a large one, return how many it had shortly before.

        To count a million takes 0.1 s. key: of the collection.
        """
        began_s = time.monotonic()
        known = self._counts.get(key)
        if known is None or began_s >= known.until_s:
            faces = indexed_faces.count_faces_of(connection, key)
            known = _Count(faces, began_s + COUNT_REST * (time.monotonic() - began_s))
            if faces <= COUNTED_FACES:
                self._counts.pop(key, None)
            else:
                self._counts[key] = known
        return known.faces

    def count_again(self) -> None:
        """Forget the counts, after a change of this replica."""
        self._counts.clear()
