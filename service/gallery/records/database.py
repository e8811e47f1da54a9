"""The database: its transactions, and every failure of the storage as one error."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from sqlite3 import Error as SqliteError

import structlog
from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from service.domain.errors import StorageUnavailable
from service.gallery.records import sqlite
from service.gallery.records.migrate import migrate

LOG = structlog.get_logger(__name__)


class Database:
    """Opens transactions. A failed transaction raises StorageUnavailable, and then nothing was stored.

    The cause of the error is what the database reported.
    """

    def __init__(self, path: Path) -> None:
        with _storage_errors():
            sqlite.create(path)
        url = URL.create("sqlite", database=str(path))
        # hide_parameters: errors are logged, and must not hold names or vectors
        self._engine = create_engine(url, hide_parameters=True)
        event.listen(self._engine, "connect", lambda connection, _record: sqlite.prepare(connection))
        event.listen(self._engine, "begin", _begin)
        self._writer = self._engine.execution_options(begin=sqlite.BEGIN_WRITING)

    def migrate(self) -> None:
        """Bring the tables to this version. Raises DataDirectoryUnusable if a newer version wrote them."""
        with self.writing() as connection:
            migrate(connection)
        self.empty_journal()  # after a crash it can still hold a deleted face

    def close(self) -> None:
        """Close all connections. SQLite empties the journal when the last connection is closed."""
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that sees one state of the records, whatever is written at the same time."""
        with _storage_errors(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open a transaction that is committed to the disk at the end. An error undoes all of it."""
        with _storage_errors(), self._writer.begin() as connection:
            yield connection

    def empty_journal(self) -> None:
        """Remove deleted content from the journal, after a deletion.

        The deletion itself is committed already. So a failure here is only logged, and the next deletion tries again.
        """
        try:
            with _storage_errors(), closing(self._engine.raw_connection()) as connection:
                if not sqlite.empty_journal(connection.driver_connection):  # type: ignore[arg-type]  # SQLite's own
                    LOG.warning("journal_kept", reason="a reader still uses it")
        except StorageUnavailable as error:
            LOG.warning("journal_kept", reason=str(error.__cause__))


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", sqlite.BEGIN_READING))


@contextmanager
def _storage_errors() -> Iterator[None]:
    """Turn the errors of the database, its driver and the operating system into StorageUnavailable."""
    try:
        yield
    except DBAPIError as error:
        raise StorageUnavailable from error.orig
    except (PoolTimeout, SqliteError, OSError) as error:
        raise StorageUnavailable from error
