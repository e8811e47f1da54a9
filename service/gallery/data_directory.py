"""The data directory. Only its owner can read it, and only one process uses it at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from service.domain.errors import DataDirectoryInUse, DataDirectoryUnusable

LOCK_FILE = "lock"


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


def unusable(path: Path, error: BaseException | None) -> DataDirectoryUnusable:
    """Return the error to raise for a directory, or for a file in it.

    error: what the operating system or the database reported.
    """
    reason = error.strerror if isinstance(error, OSError) else error
    return DataDirectoryUnusable(
        f"{path} cannot be read and written ({reason}). Repair it, or set FACE_DATA_DIR to another directory."
    )
