"""The index of a large collection (HNSW of pgvector). A smaller one is searched without: all its vectors are compared.

Its numbers have 16 bits (`halfvec`). It finds the same faces as with 32 bits, and a search takes a third less time.

It is built while everything goes on, by one replica, when enough faces are there. During an import, it waits: an
insertion into an index takes much longer than into a table without.
"""

import re
import time

import structlog
from sqlalchemy import Connection, text

from service.gallery.records.postgresql import locks
from service.gallery.records.postgresql.database import PostgresDatabase
from service.gallery.records.postgresql.vectors import TABLE
from service.gallery.records.schema import COLLECTIONS
from service.gallery.records.statements import indexed_faces

LOG = structlog.get_logger(__name__)
INDEX_FACES = 50_000
"""From so many faces on, a collection has an index."""
NO_INDEX_FACES = 9 * INDEX_FACES // 10
"""With fewer faces, the index is removed."""
LOOK_AGAIN_S = 2.0
IMPORTED_FACES = 500
"""A collection that gets more faces than this within LOOK_AGAIN_S is being imported."""
CONNECTIONS_OF_A_NODE = 24
CANDIDATES_WHEN_BUILT = 200
"""With these, and 400 candidates in a search, nearly all faces are found that exact search finds."""
_INDEXES = text("""
    SELECT class.relname AS name, index.indisvalid AS is_complete
    FROM pg_index AS index JOIN pg_class AS class ON class.oid = index.indexrelid
    WHERE index.indrelid = CAST(:table AS regclass)
""")
_NAME = re.compile(rf"{TABLE}_half_([0-9]+)")
_FORMER_NAME = re.compile(rf"{TABLE}_hnsw_[0-9]+")
"""Of an index with 32 bits. No search uses it any more."""


def keep_indexes(database: PostgresDatabase) -> None:
    """Build the indexes that are missing, and remove those that are not needed any more.

    If another replica does it now, do nothing. Raises StorageUnavailable: then the lock ends with the connection.
    """
    with database.autocommitting() as connection:
        if not connection.scalar(locks.TAKE_IF_FREE, locks.BUILD_INDEXES):
            return
        # It waits for all older transactions. If it gave up, as other statements do, all of a build would be lost.
        connection.execute(text("SET lock_timeout = 0"))
        _keep(database, connection)
        connection.execute(text("RESET lock_timeout"))
        connection.execute(locks.RELEASE, locks.BUILD_INDEXES)


def _keep(database: PostgresDatabase, connection: Connection) -> None:
    counts = indexed_faces.count_faces(connection)
    stored = {row.name: row.is_complete for row in connection.execute(_INDEXES, {"table": TABLE})}
    for name, is_complete in stored.items():
        key = _key_of(name)
        if key and (not is_complete or counts.get(key, 0) < NO_INDEX_FACES):
            _drop(connection, name)
    complete = {_key_of(name) for name, is_complete in stored.items() if is_complete}
    for row in connection.execute(COLLECTIONS.select().where(COLLECTIONS.c.dimension.is_not(None))).all():
        faces = counts.get(row.key, 0)
        if faces >= INDEX_FACES and row.key not in complete and not _is_imported(database, connection, row.key):
            _build(connection, row.key, row.dimension, faces)
    for name in filter(_FORMER_NAME.fullmatch, stored):  # at the end: a replica of the former version searches with it
        _drop(connection, name)


def _drop(connection: Connection, name: str) -> None:
    connection.execute(text(f"DROP INDEX CONCURRENTLY IF EXISTS {name}"))
    LOG.info("vector_index_removed", index=name)


def _is_imported(database: PostgresDatabase, connection: Connection, key: int) -> bool:
    """Return whether the collection grows fast. It then gets its index later. Raises StorageUnavailable at a stop."""
    before = indexed_faces.count_faces_of(connection, key)
    database.long_statements.wait(LOOK_AGAIN_S)
    return indexed_faces.count_faces_of(connection, key) - before > IMPORTED_FACES


def _build(connection: Connection, key: int, dimension: int, faces: int) -> None:
    """Build the index of a collection. key: of the collection. dimension: of its vectors."""
    LOG.info("vector_index_started", collection=key, faces=faces)
    began_s = time.monotonic()
    connection.execute(text(f"SET maintenance_work_mem = '{_memory_mb(faces, dimension)}MB'"))
    connection.execute(
        text(f"""
            CREATE INDEX CONCURRENTLY {_name(key)} ON {TABLE}
            USING hnsw (CAST(embedding AS halfvec({dimension})) halfvec_l2_ops)
            WITH (m = {CONNECTIONS_OF_A_NODE}, ef_construction = {CANDIDATES_WHEN_BUILT})
            WHERE collection = {key}
        """)
    )
    # Without statistics, the planner believes that the collection has few faces, and compares all of them.
    connection.execute(text(f"ANALYZE {TABLE}, faces, subjects"))
    LOG.info("vector_index_built", collection=key, faces=faces, seconds=round(time.monotonic() - began_s, 1))


def _name(key: int) -> str:
    return f"{TABLE}_half_{key}"


def _key_of(name: str) -> int | None:
    """Return the collection of an index by its name. None if it is another index of the table."""
    match = _NAME.fullmatch(name)
    return int(match[1]) if match else None


def _memory_mb(faces: int, dimension: int) -> int:
    """Return the memory in which the whole graph fits, at most 1 GB. Beyond, the build is much slower."""
    bytes_of_a_face = 2 * dimension + 16 * CONNECTIONS_OF_A_NODE + 256
    return min(max(64, 2 * faces * bytes_of_a_face // 2**20), 1024)
