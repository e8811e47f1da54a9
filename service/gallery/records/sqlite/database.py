"""The records in a file of SQLite: its transactions, and what happens to deleted content."""

import errno
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from io import BufferedReader
from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from sqlite3 import Error as SqliteError
from typing import Any

import structlog
from sqlalchemy import Connection

from service.domain.errors import Overloaded, StorageLost, StorageUnavailable
from service.gallery.records.database import Database
from service.gallery.records.encryption.data_keys import DataKeys, NoDataKeys
from service.gallery.records.migrate import migrate, require_journal, require_same_gallery
from service.gallery.records.sqlite import connections as sqlite
from service.gallery.records.sqlite.stored_files import StoredFiles
from service.gallery.records.statements import encryption, storage
from service.gallery.records.statements.indexed_faces import VECTORS, NoVectors, StoresVectors

LOG = structlog.get_logger(__name__)
Connect = Callable[[Path], SqliteConnection]
COPY_FILE = "backup.part"
"""A copy that is being made, in the folder of the database. It has a name only until it is complete."""
QUICK_TO_REWRITE_BYTES = 2**28
"""A file of 256 MB is written again in about two seconds. Systems kill a service that takes long to stop."""
LARGE_BYTES = 2**26
"""A larger file is checked while the service works. A gigabyte takes some seconds, and 64 MB take 0.3 s."""


class SqliteDatabase(Database):
    """A file that this process owns. Call `migrate` first, and `close` at the end.

    If a file of the database, or one of `watched`, was moved, deleted, replaced or overwritten, every transaction
    raises StorageLost until the service is started again.

    data_keys: of the collections. Without encryption, there are none.
    vectors: is told of new and deleted faces.
    is_checked: whether the structure of the whole file was checked.
    """

    def __init__(
        self,
        path: Path,
        watched: Sequence[Path] = (),
        data_keys: DataKeys | None = None,
        vectors: StoresVectors | None = None,
    ) -> None:
        super().__init__()
        self._path = path
        self._watched = watched
        # SQLite waits for a writer for some seconds only, and a rewrite of a large gallery takes longer.
        self._write_lock = threading.Lock()
        self._maintenance_lock = threading.Lock()
        self._copy_lock = threading.Lock()
        self._maintenance: SqliteConnection | None = None
        self._files: StoredFiles | None = None
        self._lost: StorageLost | None = None
        self._checking: SqliteConnection | None = None
        self.is_checked = False
        with sqlite.storage_errors():
            self._had_journal = sqlite.journal(path).exists()
            sqlite.create(path)
        options: dict[str, Any] = {encryption.OPTION: data_keys or NoDataKeys(), VECTORS: vectors or NoVectors()}
        self._engine = sqlite.open_engine(self._connect, options)
        self._writer = self._engine.execution_options(begin=sqlite.BEGIN_WRITING)
        self._searching = sqlite.open_engine(
            partial(self._connect, sqlite.connect_to_search), options | {"begin": None}
        )

    def migrate(self, expected: str | None = None) -> str:
        """Bring the tables to this version, and return the id of the gallery.

        expected: the id that the gallery must have. None if it is not known.
        Raises DataDirectoryUnusable if a newer version wrote the database, if it is another gallery, or if its journal
        is missing.
        """
        with self.writing() as connection:
            migrate(connection)
            gallery = storage.gallery_id(connection)
            require_same_gallery(self._path, gallery, expected)
            was_in_use = storage.is_in_use(connection)
            if was_in_use:
                require_journal(self._path, exists=self._had_journal)
            else:
                storage.set_in_use(connection)
            storage.note_opened_copy(connection)
            if storage.needs_rewrite(connection):
                self.erased_at_s = time.monotonic()
        with sqlite.storage_errors():
            self._maintenance = sqlite.connect_for_maintenance(self._path)
            sqlite.check_schema(self._maintenance)
            if self._path.stat().st_size <= LARGE_BYTES:
                sqlite.check_structure(self._maintenance)
                self.is_checked = True
            # After a crash, the journal can still hold a deleted face. And a copy of the database file alone must say
            # that it was in use, so this must not be in the journal only.
            if not self.empty_journal() and not was_in_use:
                raise StorageUnavailable from OSError(errno.EBUSY, "another program reads the database")
            self._files = StoredFiles(self._path, self._watched)
            self._files.check()
        return gallery

    def check_structure(self) -> None:
        """Check the structure of the whole file if `migrate` left that for later. Reading and writing go on meanwhile.

        It ends, and is to be tried again, when something is deleted: while it reads, the journal cannot be emptied.
        If the file is damaged, every transaction raises StorageLost from then on.
        """
        if self.is_checked:
            return
        try:
            with sqlite.storage_errors(), closing(self._connect()) as self._checking:
                sqlite.check_structure(self._checking)
        except StorageLost as error:
            self._lost = error
        except StorageUnavailable as error:
            LOG.info("storage_check_interrupted", reason=str(error.__cause__))
        else:
            self.is_checked = True
            LOG.info("storage_checked")

    def interrupt_check(self) -> None:
        """End `check_structure` if it runs."""
        with suppress(SqliteError):  # it has ended already
            if self._checking is not None:
                self._checking.interrupt()

    def close(self) -> None:
        """Close all connections. SQLite removes the journal when the last connection is closed."""
        self._settle()
        for engine in (self._engine, self._searching):
            engine.dispose()
        for opened in (self._maintenance, self._files):
            if opened is not None:
                opened.close()
        self._maintenance = self._files = None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that sees one state of the records, whatever is written at the same time.

        It does not check the files: the open connections see the records in any case, and `housekeeping` checks them.
        """
        self._require_files()
        with sqlite.storage_errors(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def reading_once(self) -> Iterator[Connection]:
        """Open a connection for one statement. Each further one would see another state."""
        self._require_files()
        with sqlite.storage_errors(), self._searching.connect() as connection:
            yield connection

    @contextmanager
    def committing(self, committed: Callable[[], None]) -> Iterator[Connection]:
        """Open a transaction for changes.

        The files are checked after the commit too: what is acknowledged is in the files of the data directory.
        """
        with self._write_lock:
            self.check_files()
            with sqlite.storage_errors(), self._writer.begin() as connection:
                yield connection
            self.commits += 1
            committed()
            self.check_files()

    def erase_replaced_content(self) -> None:
        """Remove deleted content from the journal now, and all that remains of it with the next `rewrite`."""
        self.erased_at_s = time.monotonic()
        self.empty_journal()

    def empty_journal(self) -> bool:
        """Remove deleted content from the journal, and return whether this is done.

        The change itself is committed already. So a failure is only logged, and `rewrite` tries again.
        """
        self.interrupt_check()
        try:
            with self._maintaining() as connection:
                emptied = sqlite.empty_journal(connection)
        except StorageUnavailable as error:
            LOG.warning("journal_kept", reason=str(error.__cause__))
            return False
        if not emptied:
            LOG.info("journal_kept", reason="a reader still uses it")
        return emptied

    def rewrite(self) -> bool:
        """Write the file again without remains of deleted content. Return whether this is done.

        It is not done if a reader still uses the journal, or while a copy is made. Other changes wait meanwhile.
        """
        with self._write_lock:
            self.check_files()
            if self._copy_lock.locked():
                return False
            self.interrupt_check()
            with self._maintaining() as connection:
                began_at = storage.time_now()
                sqlite.rewrite(connection)
                if not sqlite.empty_journal(connection):
                    return False
                connection.execute(storage.SET_REWRITTEN, (began_at,))
                self.erased_at_s = None
        return True

    def interrupt_rewrite(self) -> None:
        """Let a `rewrite` that runs end soon, undone. That `rewrite` then raises StorageUnavailable."""
        if self._maintenance is not None:
            self._maintenance.interrupt()

    def skip_deleted_rows(self, table: str) -> None:
        """Do nothing: SQLite does not read them."""

    @property
    def is_quick_to_rewrite(self) -> bool:
        """Whether the file is small."""
        with suppress(OSError):
            return self._path.stat().st_size <= QUICK_TO_REWRITE_BYTES
        return False

    def copy(self) -> tuple[BufferedReader, storage.StoredGallery]:
        """Return a copy of the state of this moment, as an open file without a name, and what it holds.

        Changes are not blocked meanwhile. Raises Overloaded while another copy is made.
        """
        if not self._copy_lock.acquire(blocking=False):
            raise Overloaded("Another backup is being made. Try again when it is complete.", retry_after_s=30)
        target = self._path.with_name(COPY_FILE)
        try:
            self.check_files()
            with sqlite.storage_errors(), closing(self._engine.raw_connection()) as connection:
                began_at = storage.time_now()
                sqlite.copy(connection.driver_connection, target)  # type: ignore[arg-type]  # SQLite's own
                changes = {storage.SET_COMPLETE: (), storage.CLEAR_AUDIT_HEAD: (), storage.NOTE_COPY: (began_at,)}
                sqlite.change_copy(target, changes)
                with sqlite.reading_copy(target) as copied:
                    stored = storage.describe(copied)
                file = target.open("rb")
            self.check_files()
        finally:
            target.unlink(missing_ok=True)
            self._copy_lock.release()
        return file, stored

    def check_files(self) -> None:
        """Raise StorageLost if a file was taken away, now or at an earlier check."""
        if self._lost is None and self._files is not None:
            try:
                self._files.check()
            except StorageLost as error:
                self._lost = error
                LOG.error("storage_lost", reason=error.reason)  # noqa: TRY400  # the trace says nothing
                self._settle()
        self._require_files()

    def _require_files(self) -> None:
        if self._lost is not None:
            raise StorageLost(self._lost.reason)

    def _connect(self, connect: Connect = sqlite.connect) -> SqliteConnection:
        """Open one more connection. With a new journal beside another database, it would destroy both."""
        self.check_files()
        return connect(self._path)

    def _settle(self) -> None:
        """Bring the whole journal into the database, and note that the file is complete without a journal.

        The open connection has the files, even if they have no name any more. So a database whose journal was deleted,
        or that was moved, is complete after this.
        """
        if self._files is None or not self._files.hold_gallery():
            return
        try:
            with self._maintaining() as connection:
                if sqlite.empty_journal(connection):
                    connection.execute(storage.SET_NOT_IN_USE)
                    sqlite.empty_journal(connection)
        except StorageUnavailable as error:
            LOG.warning("journal_kept", reason=str(error.__cause__))

    @contextmanager
    def _maintaining(self) -> Iterator[SqliteConnection]:
        with self._maintenance_lock, sqlite.storage_errors():
            if self._maintenance is None:
                raise StorageUnavailable
            yield self._maintenance
