"""SQLite for biometric records: every commit is durable, and deleted content is overwritten."""

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, NullPool, QueuePool, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from service.domain.errors import StorageLost, StorageUnavailable

LOG = structlog.get_logger(__name__)

APPLICATION_ID = 0x46414345  # "FACE"
"""Bytes 68 to 71 of the file. They tell a gallery from any other database of SQLite."""

HEADER_BYTES = 100
_MAGIC = b"SQLite format 3\0"
_APPLICATION_ID_AT = slice(68, 72)

BUSY_TIMEOUT_MS = 5_000
MAINTENANCE_BUSY_TIMEOUT_MS = 250
"""How long maintenance waits for readers. It can be done later, and a deletion waits for it."""

PRAGMAS = {
    "journal_mode": "WAL",
    "synchronous": "FULL",  # with NORMAL, the usual value for WAL, a power failure can lose acknowledged commits
    "foreign_keys": "ON",
    "secure_delete": "ON",
    "trusted_schema": "OFF",  # nothing in the file may call functions with side effects
    "temp_store": "MEMORY",  # on disk, large statements would leave copies of pages in /var/tmp
    "cache_spill": "OFF",  # with ON, the pages of a large transaction are written several times
    "busy_timeout": str(BUSY_TIMEOUT_MS),
    "wal_autocheckpoint": "8000",  # pages, 32 MB. With the default, 4 MB, an import writes the same pages more often
}

MAPPED_BYTES = 2**31 - 2**16
"""So much of a file is mapped into memory for searches. SQLite maps no more."""

SEARCH_CACHE_KIB = 8_192
"""Of each connection of a search, for the part of a file that is not mapped. The inner pages of a tree of a million
faces have 3 MB. They do not fit into the 2 MB of SQLite's default, and would be read again for each face."""

BEGIN_READING = "BEGIN"
# IMMEDIATE waits here for other writers. Without it, a transaction that reads first and writes later could be refused.
BEGIN_WRITING = "BEGIN IMMEDIATE"

DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
"""Error codes of a file that is no longer a database, or not this one."""


def create(path: Path) -> None:
    """Create the file, readable by its owner only, if it does not exist. Raises OSError.

    SQLite gives its journal files the mode of the database.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def connect(path: Path) -> sqlite3.Connection:
    """Open the file. It must exist: a connection that creates an empty file would hide that the gallery is gone."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, check_same_thread=False)
    _prepare(connection)
    return connection


def connect_to_search(path: Path) -> sqlite3.Connection:
    """Open the file, and map it into memory.

    A search reads single faces of a large file, and of a mapped one it reads their bytes only. Else whole pages are
    copied: 32 faces that are not in the cache of the processor then take 2.4 ms instead of 0.4.
    """
    connection = connect(path)
    connection.execute(f"PRAGMA mmap_size={MAPPED_BYTES}")
    connection.execute(f"PRAGMA cache_size=-{SEARCH_CACHE_KIB}")
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    """Set up a new connection. The service begins its transactions itself, because Python would begin them too late."""
    connection.isolation_level = None
    for name, value in PRAGMAS.items():
        connection.execute(f"PRAGMA {name}={value}")


def open_engine(connect: Callable[[], sqlite3.Connection], options: Mapping[str, Any]) -> Engine:
    """Return connections that are kept open and used again. options: of every statement."""
    # hide_parameters: errors are logged, and must not hold names or vectors
    # pool_use_lifo: the connection that was used last has the pages that are needed next
    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool, pool_use_lifo=True, hide_parameters=True)
    event.listen(engine, "begin", begin)
    engine.update_execution_options(**options)
    return engine


def begin(connection: Connection) -> None:
    """Begin a transaction with the statement in the option `begin`. None: each statement is its own transaction."""
    statement = connection.get_execution_options().get("begin", BEGIN_READING)
    if statement is not None:
        connection.exec_driver_sql(statement)


def connect_for_maintenance(path: Path) -> sqlite3.Connection:
    """Open a connection for `empty_journal` and `rewrite`. While it is open, SQLite keeps the journal file."""
    connection = connect(path)
    connection.execute(f"PRAGMA busy_timeout={MAINTENANCE_BUSY_TIMEOUT_MS}")
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # opens the journal
    return connection


def connect_to_copy(path: Path) -> sqlite3.Connection:
    """Open a file that nobody changes, and create no file beside it. No code in its schema is run."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None)
    connection.execute("PRAGMA trusted_schema=OFF")
    return connection


def connect_read_only(path: Path) -> sqlite3.Connection:
    """Open a file that has a journal, and change neither. When it is closed, the journal stays.

    Without a journal, this would create an empty one, and the loss of the journal would not be noticed any more.
    """
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)


def check_schema(connection: sqlite3.Connection) -> None:
    """Check that the file has tables and indexes only. A trigger could change what is stored. Raises StorageLost."""
    kinds = {kind for (kind,) in connection.execute("SELECT DISTINCT type FROM sqlite_master")}
    if not kinds <= {"table", "index"}:
        raise StorageLost("the database has triggers or views, which this service never makes")


def check_structure(connection: sqlite3.Connection) -> None:
    """Check the structure of the whole file. Reads all of it. Raises StorageLost."""
    (result,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if result != "ok":
        raise StorageLost("the database is damaged")


def journal(path: Path) -> Path:
    """Return the journal file of a database."""
    return path.with_name(f"{path.name}-wal")


def shared_memory(path: Path) -> Path:
    """Return the file with which the connections of a database coordinate."""
    return path.with_name(f"{path.name}-shm")


def is_gallery(header: bytes) -> bool:
    """Return whether the first HEADER_BYTES of a file are those of a gallery."""
    return header.startswith(_MAGIC) and int.from_bytes(header[_APPLICATION_ID_AT]) == APPLICATION_ID


def empty_journal(connection: sqlite3.Connection) -> bool:
    """Move the journal into the database and empty it. Return False if a reader still needs the journal.

    Until then the journal still holds older content, deleted rows included.
    """
    busy, _frames, _checkpointed = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


def rewrite(connection: sqlite3.Connection) -> None:
    """Write the whole database again, without the copies of deleted content that SQLite leaves inside of pages.

    `secure_delete` overwrites deleted rows. But when SQLite moves rows between pages, bytes of them can stay in the
    unused part of a page, and these are not overwritten when the row is deleted. Only VACUUM removes them. It needs
    temporary space as large as the database: on the disk (SQLITE_TMPDIR), because galleries can be larger than memory.
    """
    connection.execute("PRAGMA temp_store=FILE")
    try:
        connection.execute("VACUUM")
    finally:
        connection.execute("PRAGMA temp_store=MEMORY")


def copy(connection: sqlite3.Connection, target: Path) -> None:
    """Write the state of one moment into a new file, without deleted content. Writers are not blocked meanwhile."""
    target.unlink(missing_ok=True)
    create(target)  # with the right mode; VACUUM INTO accepts an empty file
    connection.execute("VACUUM INTO ?", (str(target.absolute()),))


def change_copy(path: Path, statements: Mapping[str, Sequence[str]]) -> None:
    """Run statements, each with its parameters, on a copy, and leave no file beside it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=OFF")
        for statement, parameters in statements.items():
            connection.execute(statement, parameters)


@contextmanager
def reading_copy(path: Path) -> Iterator[Connection]:
    """Open a copy of a database that nobody changes. Raises StorageUnavailable."""
    engine = create_engine("sqlite://", creator=partial(connect_to_copy, path), poolclass=NullPool)
    with storage_errors(), engine.begin() as connection:
        yield connection


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turn the errors of the database, its driver and the operating system into StorageUnavailable."""
    try:
        yield
    except StorageLost as error:
        LOG.error("storage_damaged", reason=error.reason)  # noqa: TRY400  # the trace says nothing
        raise
    except DBAPIError as error:
        raise _storage_error(error.orig) from error.orig
    except (PoolTimeout, sqlite3.Error, OSError) as error:
        raise _storage_error(error) from error


def _storage_error(error: BaseException | None) -> StorageUnavailable:
    if isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGED:
        LOG.error("storage_damaged", reason=str(error))
        return StorageLost("the database is damaged")
    return StorageUnavailable()
