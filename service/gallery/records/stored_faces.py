"""What an index reads of the records of its collection."""

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from service.domain.access import FULL_ACCESS, work_with
from service.domain.embedding import Embeddings
from service.gallery.base import EmbeddingModel, FaceNumbers
from service.gallery.records.database import Database
from service.gallery.records.statements import collections, indexed_faces
from service.gallery.records.statements.encryption import cipher


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
        with self._database.reading() as connection:
            return self._find_key(connection)

    def list(self) -> tuple[EmbeddingModel, FaceNumbers, NDArray[np.int64]] | None:
        """Return the model, the numbers of the faces, ascending, and the keys of their subjects. None if empty."""
        with work_with(FULL_ACCESS), self._database.reading() as connection:
            row = collections.find(connection, self._collection)
            return (row.model, *indexed_faces.list_numbers(connection, row.key)) if row.model else None

    def read(self, numbers: FaceNumbers) -> tuple[FaceNumbers, Embeddings]:
        """Return those of the numbers, ascending, that are stored, and their embeddings, (n, d) float32."""
        with self._database.reading() as connection:
            return indexed_faces.read_embeddings(connection, self._find_key(connection), numbers)

    def rotation_secret(self) -> bytes | None:
        """Return the secret of the rotation of the vectors in an index. None if they are not rotated."""
        with self._database.reading() as connection:
            return cipher(connection, self._find_key(connection)).rotation_secret

    def _find_key(self, connection: Connection) -> int:
        if self._known_key is None:
            with work_with(FULL_ACCESS):
                self._known_key = collections.find(connection, self._collection).key
        return self._known_key
