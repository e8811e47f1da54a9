"""The data directory. Only its owner can read it, and only one process uses it at a time.

lock             the lock of the process that uses the directory
mark             the id of the gallery. Without it, a directory whose database was taken away would look like a new one
gallery.sqlite3  the database, with -wal and -shm beside it while it is used
indexes          what the indexes of large collections leave for the next start; it may be deleted at any time
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from service.domain.command_errors import DataDirectoryInUse, DataDirectoryUnusable

LOCK_FILE = "lock"
MARK_FILE = "mark"
DATABASE_FILE = "gallery.sqlite3"
SNAPSHOTS_FOLDER = "indexes"
_MARK = re.compile(r"[0-9a-f]{32}\n")


@contextmanager
def lock_data_directory(directory: Path) -> Iterator[None]:
    """Create the directory if it does not exist, and keep every other process out.

    The lock ends with the process, even if the process is killed.
    Raises DataDirectoryInUse or DataDirectoryUnusable.
    """
    # thread_local=False: the thread that releases the lock may not be the one that took it.
    lock = FileLock(directory / LOCK_FILE, blocking=False, mode=0o600, thread_local=False)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise DataDirectoryInUse(
            f"Another process uses {directory}. Stop it, or set FACE_DATA_DIR to another directory."
        ) from None
    except OSError as error:
        raise unusable(directory, error) from None
    try:
        yield
    finally:
        lock.release()


def read_mark(directory: Path) -> str | None:
    """Return the id of the gallery that the directory holds. None if it holds none, or one of an older version.

    Raises DataDirectoryUnusable if the gallery of the mark is missing, or if the mark is damaged.
    """
    mark, database = directory / MARK_FILE, directory / DATABASE_FILE
    try:
        text = mark.read_text("utf-8") if mark.exists() else None
        has_database = database.exists() and bool(database.stat().st_size)
    except (OSError, UnicodeDecodeError) as error:
        raise unusable(mark, error) from None
    if text is None:
        return None
    if not has_database:
        raise DataDirectoryUnusable(
            f"{database} is missing or empty, and {mark} says that there was a gallery. Put the file back, with its "
            f"journal {DATABASE_FILE}-wal if there is one. Or restore a backup into another directory (facenet "
            f"restore). To start with an empty gallery, delete {mark}."
        )
    if not _MARK.fullmatch(text):
        raise DataDirectoryUnusable(f"{mark} is damaged. If {database} is the right one, delete the mark.")
    return text.strip()


def write_mark(directory: Path, gallery: str) -> None:
    """Write the mark so that it is complete or missing after a power failure. gallery: its id. Raises OSError."""
    part = directory / f"{MARK_FILE}.part"
    file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(file, f"{gallery}\n".encode())
        os.fsync(file)
    finally:
        os.close(file)
    part.replace(directory / MARK_FILE)
    sync_folder(directory)


def sync_folder(folder: Path) -> None:
    """Make new and renamed files of the folder durable. Raises OSError."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def unusable(path: Path, error: BaseException | None) -> DataDirectoryUnusable:
    """Return the error to raise for a directory, or for a file in it.

    error: what the operating system or the database reported.
    """
    reason = error.strerror if isinstance(error, OSError) else error
    return DataDirectoryUnusable(
        f"{path} cannot be read and written ({reason}). Repair it, or set FACE_DATA_DIR to another directory."
    )
