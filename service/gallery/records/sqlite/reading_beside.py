"""Read a database from another process, while a service uses it or not. Nothing is changed."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, NullPool, create_engine

from service.domain.errors import StorageUnavailable
from service.gallery.records.sqlite import connections as sqlite
from service.gallery.records.sqlite.database import LARGE_BYTES
from service.gallery.records.statements import encryption, storage
from service.gallery.records.statements.storage import Remains, Restore


@dataclass(frozen=True, slots=True)
class AuditFacts:
    """What the database knows of the audit log and of deletions.

    noted_head: number and hash of the last line that was noted. None if none was.
    restores: each time that the database was restored from a backup.
    """

    noted_head: tuple[int, bytes] | None
    remains: Remains
    restores: tuple[Restore, ...]


def read_audit_facts(database: Path) -> AuditFacts | None:
    """Read them. None if there is no database of this version."""
    if not database.exists():
        return None
    try:
        with reading_beside(database) as connection:
            return AuditFacts(
                storage.noted_audit_head(connection), storage.remains(connection), storage.restores(connection)
            )
    except StorageUnavailable:
        return None


@contextmanager
def reading_beside(path: Path) -> Iterator[Connection]:
    """Open a database that this process does not use, with its journal if it has one, and change no file.

    Raises StorageUnavailable.
    """
    connect = sqlite.connect_read_only if sqlite.journal(path).exists() else sqlite.connect_to_copy
    engine = create_engine("sqlite://", creator=partial(connect, path), poolclass=NullPool)
    with sqlite.storage_errors(), engine.begin() as connection:
        yield connection


def check_beside(path: Path) -> None:
    """Check the structure of a database that another process may use. A large file is not read to its end.

    Raises StorageUnavailable.
    """
    connect = sqlite.connect_read_only if sqlite.journal(path).exists() else sqlite.connect_to_copy
    with sqlite.storage_errors(), closing(connect(path)) as connection:
        sqlite.check_schema(connection)
        if path.stat().st_size <= LARGE_BYTES:
            sqlite.check_structure(connection)


def check_copy(path: Path) -> None:
    """Check the structure of a copy of a database. Raises StorageUnavailable."""
    with sqlite.storage_errors(), closing(sqlite.connect_to_copy(path)) as connection:
        sqlite.check_schema(connection)
        sqlite.check_structure(connection)


def stored_key_id(database: Path) -> str | None:
    """Return the id of the key of a gallery that is not open. None if it is plain, or if there is none.

    No file is changed. Raises StorageUnavailable.
    """
    if not database.is_file() or not database.stat().st_size:
        return None
    with reading_beside(database) as connection:
        return encryption.operator_key_id(connection)
