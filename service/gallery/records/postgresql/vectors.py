"""The vectors of all faces, in a table that pgvector searches. They are stored and deleted with their faces.

So a search sees what any replica has committed, and nothing else.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
import structlog
from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import DBAPIError

from service.domain.command_errors import DatabaseUnusable
from service.domain.embedding import Embeddings
from service.gallery.base import FaceNumbers, References
from service.gallery.records.database import Database
from service.gallery.records.postgresql import locks
from service.gallery.records.schema import COLLECTIONS
from service.gallery.records.statements.indexed_faces import read_embeddings
from service.gallery.records.statements.rows.insertion import driver_errors

LOG = structlog.get_logger(__name__)
TABLE = "face_vectors"
_CREATE = (
    "CREATE EXTENSION IF NOT EXISTS vector",
    f"""
    CREATE TABLE IF NOT EXISTS {TABLE} (
        number bigint PRIMARY KEY REFERENCES faces (number) ON DELETE CASCADE,
        collection bigint NOT NULL,
        embedding vector NOT NULL
    )
    """,
    f"ALTER TABLE {TABLE} ALTER COLUMN embedding SET STORAGE PLAIN",
    f"CREATE INDEX IF NOT EXISTS {TABLE}_of_collection ON {TABLE} (collection)",
)
MAX_DIMENSION = 2_000
"""A row with its vector has to fit into a page of PostgreSQL, which has 8 kB."""
OLDEST_VERSION = (0, 8)
_VERSION = text("SELECT extversion FROM pg_extension WHERE extname = 'vector'")
_MISSING = text(f"""
    SELECT face.collection, face.number FROM faces AS face
    WHERE NOT EXISTS (SELECT FROM {TABLE} AS stored WHERE stored.number = face.number)
    ORDER BY face.collection, face.number LIMIT 10000
""")  # noqa: S608  # a constant
_LARGEST_DIMENSION = select(func.max(COLLECTIONS.c.dimension))
_COPY = f"COPY {TABLE} (number, collection, embedding) FROM STDIN (FORMAT BINARY)"
_COPY_START = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_END = b"\xff\xff"
_INT64_BYTES = 8


class VectorTable:
    """The table of vectors."""

    tables: tuple[str, ...] = (TABLE,)

    def store(self, connection: Connection, collection: int, new: References) -> None:
        """Store the vectors of new faces. collection: the key."""
        _copy(connection, collection, new.numbers, new.embeddings)

    def remove(self, _connection: Connection, _collection: int, _numbers: Sequence[int]) -> None:
        """Do nothing: the database has deleted the vectors with their faces."""

    def remove_collection(self, _connection: Connection, _collection: int) -> None:
        """Do nothing."""

    def prepare(self, database: Database) -> None:
        """Create the table, and store the vectors of faces that were enrolled while the index was in memory.

        Raises DatabaseUnusable if the server has no pgvector, or if embeddings are too long for it. Raises
        StorageUnavailable.
        """
        with database.committing(lambda: None) as connection:
            connection.execute(locks.TAKE_FOR_TRANSACTION, locks.PREPARE_VECTORS)
            _create(connection)
            _require_dimension(connection)
        while self._store_missing(database):
            pass

    def _store_missing(self, database: Database) -> int:
        """Store some vectors that are missing, and return how many."""
        with database.committing(lambda: None) as connection:
            connection.execute(locks.TAKE_FOR_TRANSACTION, locks.PREPARE_VECTORS)
            rows = connection.execute(_MISSING).all()
            for key, of_collection in groupby(rows, key=lambda row: row.collection):
                numbers = np.array([row.number for row in of_collection], np.int64)
                _copy(connection, key, *read_embeddings(connection, key, numbers))
        if rows:
            LOG.info("vectors_stored", faces=len(rows))
        return len(rows)


def _create(connection: Connection) -> None:
    try:
        with connection.begin_nested():
            for statement in _CREATE:
                connection.execute(text(statement))
            version = connection.scalar(_VERSION)
    except DBAPIError as error:
        reason = str(error.orig).partition("\n")[0]
        raise DatabaseUnusable(
            f"FACE_GALLERY__INDEX=pgvector needs the extension pgvector in the database ({reason}). Install it on the "
            "server, and let its administrator run: CREATE EXTENSION vector."
        ) from None
    if tuple(map(int, version.split(".")[:2])) < OLDEST_VERSION:
        raise DatabaseUnusable(
            f"FACE_GALLERY__INDEX=pgvector needs pgvector 0.8 or newer, and the database has {version}. Install it on "
            "the server, and let its administrator run: ALTER EXTENSION vector UPDATE."
        )


def _require_dimension(connection: Connection) -> None:
    dimension = connection.scalar(_LARGEST_DIMENSION) or 0
    if dimension > MAX_DIMENSION:
        raise DatabaseUnusable(
            f"FACE_GALLERY__INDEX=pgvector stores embeddings of at most {MAX_DIMENSION:,} numbers, and the database "
            f"has some of {dimension:,}. Set FACE_GALLERY__INDEX to faiss or milvus."
        )


def _copy(connection: Connection, collection: int, numbers: FaceNumbers, embeddings: Embeddings) -> None:
    driver: Any = connection.connection.cursor()
    with driver_errors(connection, _COPY), driver.copy(_COPY) as copy:
        copy.write(_COPY_START + _binary_rows(collection, numbers, embeddings) + _COPY_END)


def _binary_rows(collection: int, numbers: FaceNumbers, embeddings: Embeddings) -> bytes:
    """Return rows in the binary format of COPY: before each value its length, all in network byte order."""
    count, dimension = embeddings.shape
    row = np.dtype(
        [
            ("columns", ">i2"),
            ("number_bytes", ">i4"),
            ("number", ">i8"),
            ("collection_bytes", ">i4"),
            ("collection", ">i8"),
            ("embedding_bytes", ">i4"),
            ("dimension", ">i2"),
            ("unused", ">i2"),
            ("embedding", ">f4", (dimension,)),
        ]
    )
    rows = np.zeros(count, row)
    rows["columns"], rows["dimension"] = 3, dimension
    rows["number_bytes"] = rows["collection_bytes"] = _INT64_BYTES
    rows["embedding_bytes"] = 4 + 4 * dimension
    rows["number"], rows["collection"], rows["embedding"] = numbers, collection, embeddings
    return rows.tobytes()
