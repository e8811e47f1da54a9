"""Statements of the indexes, which read many faces. `collection` is a key.

They are text, and go to the driver. SQLAlchemy would take several times as long as the database itself. For each, there
is one text for each database, by the name of its dialect.

If the database itself searches the vectors, it gets them here too.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from service.domain.embedding import Embeddings
from service.gallery.base import FaceNumbers, References
from service.gallery.records.encryption.ciphers import RecordCipher
from service.gallery.records.schema import SUBJECTS
from service.gallery.records.statements.encryption import cipher
from service.gallery.records.statements.faces import FaceOwner, owner, to_matrix
from service.gallery.records.statements.rows.insertion import driver_errors

ROWS_AT_ONCE = 10_000
_NUMBERS = {
    "sqlite": "SELECT number, subject FROM faces WHERE collection = ?",
    "postgresql": "SELECT number, subject FROM faces WHERE collection = %s",
}
"""SQLite finds both in the index `faces_of_subject`, and reads no embedding."""
_WANTED = {
    "sqlite": "faces.number IN (SELECT value FROM json_each(?)) AND +faces.collection = ?",
    "postgresql": "faces.number = ANY((%s)::bigint[]) AND faces.collection + 0 = %s",
}
"""The sign or sum keeps the database from reading the whole collection: a row is found by its number, which is the
fastest."""


def _select_wanted(columns: str, tables: str = "faces") -> dict[str, str]:
    return {
        dialect: f"SELECT {columns} FROM {tables} WHERE {wanted} ORDER BY faces.number"  # noqa: S608  # texts of this module
        for dialect, wanted in _WANTED.items()
    }


_WITH_SUBJECTS = "faces JOIN subjects ON subjects.key = faces.subject"
_EMBEDDINGS = _select_wanted("number, id, embedding")
_FACES = _select_wanted("number, subject, id, embedding")
_OWNERS = _select_wanted("number, subject, faces.id, subjects.id, name", _WITH_SUBJECTS)
_OWNED_FACES = _select_wanted("number, subject, faces.id, subjects.id, name, embedding", _WITH_SUBJECTS)
_NEXT_FACES = {
    "sqlite": "SELECT number, collection, id FROM faces WHERE number > ? ORDER BY number LIMIT ?",
    "postgresql": "SELECT number, collection, id FROM faces WHERE number > %s ORDER BY number LIMIT %s",
}
_COUNT = {
    "sqlite": "SELECT count(*) FROM faces WHERE collection = ?",
    "postgresql": "SELECT count(*) FROM faces WHERE collection = %s",
}
_COUNTS = "SELECT collection, count(*) FROM faces GROUP BY collection"
_ALL_EMBEDDINGS = {
    "sqlite": "SELECT id, embedding FROM faces WHERE collection = ?",
    "postgresql": "SELECT id, embedding FROM faces WHERE collection = %s",
}


def count_faces(connection: Connection) -> dict[int, int]:
    """Return how many faces each collection has that has any, by its key."""
    return dict(_execute(connection, _COUNTS).fetchall())


def count_faces_of(connection: Connection, collection: int) -> int:
    """Return how many faces the collection has."""
    rows = _execute(connection, _COUNT[connection.dialect.name], collection)
    return int(rows.fetchone()[0])


def check_embeddings(connection: Connection, collection: int) -> None:
    """Check all embeddings of a collection that has a face, and its data key. Raises StorageLost."""
    statement = _ALL_EMBEDDINGS[connection.dialect.name]
    ids, blobs = zip(*_execute(connection, statement, collection), strict=True)
    to_matrix(cipher(connection, collection).read_vectors(ids, blobs))


def list_numbers(connection: Connection, collection: int) -> tuple[FaceNumbers, NDArray[np.int64]]:
    """Return the numbers of all faces, ascending, and the keys of their subjects."""
    rows = _execute(connection, _NUMBERS[connection.dialect.name], collection)
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
    rows = _read_wanted(connection, _EMBEDDINGS, collection, numbers)
    if not rows:
        return numbers[:0], np.empty((0, 0), np.float32)
    found, ids, blobs = zip(*rows, strict=True)
    return np.array(found, np.int64), to_matrix(cipher(connection, collection).read_vectors(ids, blobs))


@dataclass(frozen=True, slots=True, eq=False)
class StoredVectors:
    """Faces of one collection. numbers: (n,) int64, ascending. subjects: (n,) int64, keys. embeddings: (n, d)."""

    numbers: FaceNumbers
    subjects: NDArray[np.int64]
    ids: tuple[str, ...]
    embeddings: Embeddings


def read_faces(connection: Connection, collection: int, numbers: FaceNumbers) -> StoredVectors | None:
    """Return those of the numbers that are faces of the collection. None if there are none."""
    rows = _read_wanted(connection, _FACES, collection, numbers)
    return _vectors(rows, cipher(connection, collection)) if rows else None


def read_owned_faces(
    connection: Connection, collection: int, numbers: FaceNumbers
) -> tuple[StoredVectors | None, dict[int, FaceOwner]]:
    """Return what `read_faces` returns, and the owners of these faces by their numbers, in one statement."""
    rows = _read_wanted(connection, _OWNED_FACES, collection, numbers)
    if not rows:
        return None, {}
    by = cipher(connection, collection)
    vectors = _vectors([(*row[:3], row[-1]) for row in rows], by)
    return vectors, _owners_by_number(connection, [row[:-1] for row in rows], by)


def owners(connection: Connection, collection: int, numbers: Collection[int]) -> dict[int, FaceOwner]:
    """Return the owners of faces, by the numbers of the faces. A face that does not exist is left out."""
    by = cipher(connection, collection)
    wanted = np.fromiter(numbers, np.int64, len(numbers))
    return _owners_by_number(connection, _read_wanted(connection, _OWNERS, collection, wanted), by)


def _read_wanted(
    connection: Connection, statements: Mapping[str, str], collection: int, numbers: FaceNumbers
) -> list[tuple[Any, ...]]:
    statement, listed = statements[connection.dialect.name], _listed(connection, numbers)
    rows: list[tuple[Any, ...]] = _execute(connection, statement, listed, collection).fetchall()
    return rows


def _vectors(rows: Sequence[tuple[Any, ...]], by: RecordCipher) -> StoredVectors:
    """Return the faces of rows as `_FACES` has them. There is at least one."""
    numbers, subjects, ids, blobs = zip(*rows, strict=True)
    embeddings = to_matrix(by.read_vectors(ids, blobs))
    return StoredVectors(np.array(numbers, np.int64), np.array(subjects, np.int64), ids, embeddings)


def _owners_by_number(
    connection: Connection, rows: Sequence[tuple[Any, ...]], by: RecordCipher
) -> dict[int, FaceOwner]:
    """Return the owners of rows as `_OWNERS` has them."""
    read = SUBJECTS.c.id.type.dialect_impl(connection.dialect).result_processor(connection.dialect, None)
    if read is not None:  # SQLite stores a text as it is
        rows = [(*row, read(subject), read(name)) for *row, subject, name in rows]
    return {number: owner(face, key, subject, name, by) for number, key, face, subject, name in rows}


def next_faces(connection: Connection, after: int, most: int) -> list[tuple[int, int, str]]:
    """Return the next faces of all collections after a number, at most `most`: number, key of the collection, id."""
    return [*_execute(connection, _NEXT_FACES[connection.dialect.name], after, most).fetchall()]


def _listed(connection: Connection, numbers: FaceNumbers) -> str | list[int]:
    """Return the numbers as a parameter of a statement."""
    listed: list[int] = numbers.tolist()
    return str(listed) if connection.dialect.name == "sqlite" else listed


def _execute(connection: Connection, statement: str, *parameters: object) -> Any:  # noqa: ANN401  # of the driver
    """Run a statement of the driver in the transaction of `connection`. Return its cursor."""
    with driver_errors(connection, statement):
        return connection.connection.cursor().execute(statement, parameters)


VECTORS = "vectors"
"""The option of a connection that says where the vectors of new faces are stored too."""


class StoresVectors(Protocol):
    """Stores vectors in the transaction of their faces, and deletes them with their faces.

    collection: the key. tables: their names.
    """

    tables: tuple[str, ...]

    def store(self, connection: Connection, collection: int, new: References) -> None:
        """Store the vectors of new faces."""
        ...

    def remove(self, connection: Connection, collection: int, numbers: Sequence[int]) -> None:
        """Delete the vectors of deleted faces, if the database has not done it."""
        ...

    def remove_collection(self, connection: Connection, collection: int) -> None:
        """Delete the vectors of a deleted collection, if the database has not done it."""
        ...


class NoVectors:
    """The faces are searched in memory."""

    tables: tuple[str, ...] = ()

    def store(self, _connection: Connection, _collection: int, _new: References) -> None:
        """Store nothing."""

    def remove(self, _connection: Connection, _collection: int, _numbers: Sequence[int]) -> None:
        """Delete nothing."""

    def remove_collection(self, _connection: Connection, _collection: int) -> None:
        """Delete nothing."""


_NOWHERE = NoVectors()


def vectors(connection: Connection) -> StoresVectors:
    """Return where the vectors of a connection are stored."""
    found: StoresVectors = connection.get_execution_options().get(VECTORS, _NOWHERE)
    return found
