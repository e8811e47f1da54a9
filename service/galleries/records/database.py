"""The database: its transactions, and every way in which storage fails, as one error."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from sqlite3 import Error as SqliteError

import structlog
from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from service.errors import StorageUnavailable
from service.galleries import sqlite
from service.galleries.records.upgrade import upgrade

LOG = structlog.get_logger(__name__)


class Records:
    """Any verb raises StorageUnavailable, caused by what the database said, and then nothing was stored."""

    def __init__(self, path: Path) -> None:
        with _storage():
            sqlite.create(path)
        url = URL.create("sqlite", database=str(path))
        self._engine = create_engine(url, hide_parameters=True)  # errors are logged; names and vectors are not
        event.listen(self._engine, "connect", lambda connection, _record: sqlite.prepare(connection))
        event.listen(self._engine, "begin", _begin)
        self._writer = self._engine.execution_options(begin=sqlite.BEGIN_WRITING)

    def upgrade(self) -> None:
        """Brings the tables to this version's form. Raises DataDirectoryUnusable where they are a newer version's."""
        with self.writing() as connection:
            upgrade(connection)
        self.empty_journal()  # what a crash left in it may be of a deleted face

    def close(self) -> None:
        """Whoever closes SQLite's last connection empties its journal."""
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One state of the records, whatever is written meanwhile."""
        with _storage(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Committed at the end, and on the disk then; undone if anything was raised."""
        with _storage(), self._writer.begin() as connection:
            yield connection

    def empty_journal(self) -> None:
        """After a deletion, so that nothing of it is left in the files.

        The deletion is committed already: what fails here is told to the operator, and the next one makes up for it.
        """
        try:
            with _storage(), closing(self._engine.raw_connection()) as connection:
                if not sqlite.empty_journal(connection.driver_connection):  # type: ignore[arg-type]  # it is SQLite's
                    LOG.warning("journal_kept", reason="a reader is not done with it")
        except StorageUnavailable as error:
            LOG.warning("journal_kept", reason=str(error.__cause__))


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", sqlite.BEGIN_READING))


@contextmanager
def _storage() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise StorageUnavailable from error.orig
    except (PoolTimeout, SqliteError, OSError) as error:
        raise StorageUnavailable from error
