"""Statements of the indexes, which read many faces. `collection` is a key.

They are text, and go to the driver of SQLite. SQLAlchemy would take several times as long as SQLite itself.
"""

from itertools import chain
from sqlite3 import Connection as SqliteConnection

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from service.domain.embedding import Embeddings
from service.gallery.base import FaceNumbers
from service.gallery.records.statements.encryption import cipher
from service.gallery.records.statements.faces import to_matrix

ROWS_AT_ONCE = 10_000
_NUMBERS = "SELECT number, subject FROM faces WHERE collection = ?"
"""SQLite finds both in the index `faces_of_subject`, and reads no embedding."""
_EMBEDDINGS = (
    "SELECT number, id, embedding FROM faces "
    "WHERE number IN (SELECT value FROM json_each(?)) AND +collection = ? ORDER BY number"
)
"""The plus sign keeps SQLite from reading the whole collection: a row is found by its number, which is the fastest."""
_COUNTS = "SELECT collection, count(*) FROM faces GROUP BY collection"
_ALL_EMBEDDINGS = "SELECT id, embedding FROM faces WHERE collection = ?"


def count_faces(connection: Connection) -> dict[int, int]:
    """Return how many faces each collection has that has any, by its key."""
    return dict(_driver(connection).execute(_COUNTS).fetchall())


def check_embeddings(connection: Connection, collection: int) -> None:
    """Check all embeddings of a collection that has a face, and its data key. Raises StorageLost."""
    ids, blobs = zip(*_driver(connection).execute(_ALL_EMBEDDINGS, (collection,)), strict=True)
    to_matrix(cipher(connection, collection).read_vectors(ids, blobs))


def list_numbers(connection: Connection, collection: int) -> tuple[FaceNumbers, NDArray[np.int64]]:
    """Return the numbers of all faces, ascending, and the keys of their subjects."""
    rows = _driver(connection).execute(_NUMBERS, (collection,))
    parts = [np.empty((0, 2), np.int64)]
    while block := rows.fetchmany(ROWS_AT_ONCE):
        parts.append(np.fromiter(chain.from_iterable(block), np.int64, 2 * len(block)).reshape(-1, 2))
    found = np.concatenate(parts)
    order = np.argsort(found[:, 0])
    return found[order, 0], found[order, 1]


def read_embeddings(connection: Connection, collection: int, numbers: FaceNumbers) -> tuple[FaceNumbers, Embeddings]:
    """Return those of the numbers that are faces of the collection, ascending, and their embeddings, (n, d) float32.

    If there are none, d is 0.
    """
    rows = _driver(connection).execute(_EMBEDDINGS, (str(numbers.tolist()), collection)).fetchall()
    if not rows:
        return numbers[:0], np.empty((0, 0), np.float32)
    found, ids, blobs = zip(*rows, strict=True)
    return np.array(found, np.int64), to_matrix(cipher(connection, collection).read_vectors(ids, blobs))


def _driver(connection: Connection) -> SqliteConnection:
    """Return the connection of the driver. It is in the transaction of `connection`."""
    driver: SqliteConnection = connection.connection.driver_connection  # type: ignore[assignment]  # it may be None
    return driver
