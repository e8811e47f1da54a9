"""The records on a PostgreSQL server: its transactions, and how deleted content is removed."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NoReturn

from sqlalchemy import URL, Connection, RootTransaction, text, update
from sqlalchemy.exc import DBAPIError

from service.domain.errors import BackupElsewhere, ChangeUnconfirmed
from service.gallery.records.database import Database
from service.gallery.records.encryption.data_keys import DataKeys, NoDataKeys
from service.gallery.records.migrate import migrate
from service.gallery.records.postgresql import locks
from service.gallery.records.postgresql.connections import connect, storage_errors
from service.gallery.records.postgresql.long_statements import LongStatements
from service.gallery.records.postgresql.presence import Presence, Setup
from service.gallery.records.schema import METADATA, STORAGE
from service.gallery.records.statements import encryption
from service.gallery.records.statements.collections import LOCKS_COLLECTIONS
from service.gallery.records.statements.indexed_faces import VECTORS, NoVectors, StoresVectors


class PostgresDatabase(Database):
    """A database of a server. Use it in or after `joining`, and call `close` at the end.

    A transaction that changes a collection locks its row. So the changes of one collection come one after the other,
    whichever replica makes them, and those of different collections at the same time.

    data_keys: of the collections. Without encryption, there are none.
    vectors: where a new face is stored too, so that the database can search it.
    long_statements: end them when a stop begins.
    """

    is_shared = True

    def __init__(self, url: URL, data_keys: DataKeys | None = None, vectors: StoresVectors | None = None) -> None:
        super().__init__()
        self._reader = connect(url, "REPEATABLE READ", read_only=True)
        self._writer = connect(url, "READ COMMITTED")
        self._alone = connect(url, "AUTOCOMMIT")
        self._vectors = vectors or NoVectors()
        options: dict[str, Any] = {encryption.OPTION: data_keys or NoDataKeys(), VECTORS: self._vectors}
        self._engines = (self._reader, self._writer, self._alone)
        for engine in self._engines:
            engine.update_execution_options(**options)
        self._writer.update_execution_options(**{LOCKS_COLLECTIONS: True})
        self._presence = Presence(self._alone)
        self.long_statements = LongStatements()

    @contextmanager
    def joining(self, setup: Setup) -> Iterator[bool]:
        """Bring the tables to this version, and take a place among the services that use them.

        Yields whether there is no other service. None starts until the context ends.
        Raises DataDirectoryUnusable if a newer version wrote the database, and DatabaseInUse.
        """
        with storage_errors(), self._alone.connect() as starting:
            _wait_as_long_as_needed(starting, "SESSION")
            starting.execute(locks.TAKE, locks.START)
            try:
                with self._writer.begin() as connection:
                    _wait_as_long_as_needed(connection, "LOCAL")
                    migrate(connection, elsewhere="FACE_GALLERY__URL to another database")
                    is_first = self._presence.begin(connection, setup)
                self.erased_at_s = time.monotonic()  # a killed service may have deleted something just before
                yield is_first
            finally:
                starting.invalidate()  # the lock ends with the connection, which has no time limits

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that sees one state of the records, whatever is written at the same time."""
        with storage_errors(), self._reader.begin() as connection:
            yield connection

    @contextmanager
    def reading_once(self) -> Iterator[Connection]:
        """Open a connection for one statement. Each further one would see another state."""
        with storage_errors(), self._alone.connect() as connection:
            yield connection

    @contextmanager
    def committing(self, committed: Callable[[], None]) -> Iterator[Connection]:
        """Open a transaction for changes."""
        with storage_errors(), self._writer.connect() as connection:
            transaction = connection.begin()
            try:
                yield connection
            except BaseException:
                transaction.rollback()
                raise
            _commit(transaction)
        self.commits += 1
        committed()

    @contextmanager
    def autocommitting(self) -> Iterator[Connection]:
        """Open a connection for what must not be in a transaction. It may take long.

        After an error, it is closed: no statement could bring it back if the server is gone. Its locks end with it.
        Raises StorageUnavailable if the service stops meanwhile.
        """
        with storage_errors(), self._alone.connect() as connection, self.long_statements.running(connection):
            try:
                connection.execute(text("SET statement_timeout = 0"))
                yield connection
                connection.execute(text("RESET statement_timeout"))
            except BaseException:
                connection.invalidate()
                raise

    @contextmanager
    def working_alone(self) -> Iterator[bool]:
        """Return whether this replica may do the work that only one does at a time, until the context ends."""
        with storage_errors(), self._alone.connect() as connection:
            is_alone = bool(connection.scalar(locks.TAKE_IF_FREE, locks.APPLY_CHANGES))
            try:
                yield is_alone
            finally:
                if is_alone:
                    connection.execute(locks.RELEASE, locks.APPLY_CHANGES)

    def erase_replaced_content(self) -> None:
        """Note that `rewrite` is to remove deleted rows. No transaction finds them any more."""
        self.erased_at_s = time.monotonic()

    def rewrite(self) -> bool:
        """Remove deleted rows from the tables and their indexes (VACUUM). Everything else goes on meanwhile.

        A row that another transaction can still see stays until the next time.
        """
        began_s, began_at = time.monotonic(), datetime.now(UTC)
        tables = ", ".join([*(table.name for table in METADATA.sorted_tables), "face_changes", *self._vectors.tables])
        with self.autocommitting() as connection:
            connection.execute(text(f"VACUUM (INDEX_CLEANUP ON) {tables}"))
            connection.execute(update(STORAGE).values(rewritten_at=began_at))
        if self.erased_at_s is not None and self.erased_at_s <= began_s:
            self.erased_at_s = None
        return True

    def skip_deleted_rows(self, table: str) -> None:
        """Remove them (VACUUM). PostgreSQL itself does so too, after a minute or more."""
        with self.autocommitting() as connection:
            connection.execute(text(f"VACUUM (ANALYZE) {table}"))

    def interrupt_rewrite(self) -> None:
        """Cancel it, and all other long statements."""
        self.long_statements.end()

    is_quick_to_rewrite = False
    """The next start does it, and PostgreSQL itself (autovacuum)."""

    def check_files(self) -> None:
        """Show the other replicas that this one is still there. The server keeps its files itself."""
        self._presence.keep()

    def copy(self) -> NoReturn:
        """Raise BackupElsewhere."""
        raise BackupElsewhere

    def close(self) -> None:
        """Close all connections."""
        self._presence.end()
        for engine in self._engines:
            engine.dispose()


def _wait_as_long_as_needed(connection: Connection, extent: str) -> None:
    """End the time limits of a transaction (LOCAL) or a connection (SESSION): another replica may migrate many rows."""
    for name in ("statement_timeout", "lock_timeout"):
        connection.execute(text(f"SET {extent} {name} = 0"))


def _commit(transaction: RootTransaction) -> None:
    """Commit. Raises ChangeUnconfirmed if the server may have committed without saying so."""
    try:
        transaction.commit()
    except DBAPIError as error:
        if error.connection_invalidated:
            raise ChangeUnconfirmed from error.orig
        raise
