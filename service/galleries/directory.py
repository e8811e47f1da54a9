"""The data directory: for its owner's eyes, and of one process at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from service.errors import DataDirectoryInUse, DataDirectoryUnusable

LOCK = "lock"


@contextmanager
def own(directory: Path) -> Iterator[None]:
    """Creates it if it is not there, and keeps every other process out. The lock goes with the process, even if killed.

    Raises DataDirectoryInUse or DataDirectoryUnusable.
    """
    lock = FileLock(directory / LOCK, blocking=False, mode=0o600, thread_local=False)  # closed by whichever thread
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
    """path: the directory, or a file in it. error: what the operating system or the database said."""
    reason = error.strerror if isinstance(error, OSError) else error
    return DataDirectoryUnusable(
        f"{path} cannot be read and written ({reason}). Mend that, or set FACE_DATA_DIR to another directory."
    )
