"""The files of an open database. Somebody can move, delete or overwrite them while the service runs."""

import os
from collections.abc import Sequence
from pathlib import Path

from service.domain.errors import StorageLost
from service.gallery.records.sqlite import connections as sqlite

_Identity = tuple[int, int]
"""Device and inode. An inode is not used again while a process has the file open."""


class StoredFiles:
    """Notices that a file is no longer the one that was opened.

    SQLite itself does not notice: it goes on with the files that it has open, even if they have no name any more.

    database: it and its two companions must be open, so that they exist.
    others: further files that must stay, such as the lock.
    Raises OSError or StorageLost.
    """

    def __init__(self, database: Path, others: Sequence[Path] = ()) -> None:
        self._names = {
            database: "the database",
            sqlite.journal(database): "the journal of the database (-wal)",
            sqlite.shared_memory(database): "the shared memory of the database (-shm)",
            **{path: f"the file `{path.name}` of the data directory" for path in others},
        }
        self._opened = {path: _identity(path) for path in self._names}
        # If a process closes a file of SQLite, it loses its locks on it. So this one is closed after all connections.
        self._header_file = os.open(database, os.O_RDONLY)

    def check(self) -> None:
        """Raise StorageLost if a file was moved, deleted, replaced or overwritten. Takes some microseconds."""
        for path, opened in self._opened.items():
            try:
                found = _identity(path)
            except OSError:
                raise StorageLost(f"{self._names[path]} was moved or deleted") from None
            if found != opened:
                raise StorageLost(f"{self._names[path]} was replaced by another file")
        if not self.hold_gallery():
            raise StorageLost("the database was overwritten")

    def hold_gallery(self) -> bool:
        """Return whether the opened database still starts as a gallery does, wherever its file is now."""
        return sqlite.is_gallery(os.pread(self._header_file, sqlite.HEADER_BYTES, 0))

    def close(self) -> None:
        """Call this after all connections are closed."""
        os.close(self._header_file)


def _identity(path: Path) -> _Identity:
    status = os.stat(path)  # noqa: PTH116  # a third of the time of Path.stat, and this runs for every transaction
    return status.st_dev, status.st_ino
