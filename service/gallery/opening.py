"""Open the gallery in its data directory."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from service.domain.command_errors import DataDirectoryUnusable
from service.domain.errors import StorageLost, StorageUnavailable
from service.gallery.base import NO_TRAIL, AuditTrail
from service.gallery.data_directory import (
    DATABASE_FILE,
    LOCK_FILE,
    lock_data_directory,
    read_mark,
    unusable,
    write_mark,
)
from service.gallery.gallery import Gallery
from service.gallery.indexes import index_factory
from service.gallery.records.database import COPY_FILE, Database
from service.gallery.records.housekeeping import housekeeping

HEAD_S = 60.0
"""How often the last line of the audit log is noted in the records."""


@contextmanager
def open_gallery(data_dir: Path, index: str, trail: AuditTrail = NO_TRAIL) -> Iterator[Gallery]:
    """Open the records in a directory, migrate them to this version, and build the indexes.

    The directory is created if it does not exist. No other process can use it until the context ends.
    index: a name in `indexes.INDEXES`, or a factory string of FAISS.
    trail: the audit log.
    Raises InvalidSettings, DataDirectoryInUse, DataDirectoryUnusable or AuditUnusable.
    """
    create_index = index_factory(index)
    create_index(dimension=1)  # a wrong name must fail at the start, and not at the first enrolment
    path = data_dir / DATABASE_FILE
    with ExitStack() as resources:
        resources.enter_context(lock_data_directory(data_dir))
        marked = read_mark(data_dir)
        os.environ["SQLITE_TMPDIR"] = str(data_dir.absolute())  # else a rewrite would write to /var/tmp
        try:
            (data_dir / COPY_FILE).unlink(missing_ok=True)  # a killed service may have left it
            database = resources.enter_context(closing(Database(path, watched=[data_dir / LOCK_FILE])))
            found = database.migrate(marked)
            if marked is None:
                write_mark(data_dir, found)
            gallery = Gallery(database, create_index, trail)
        except StorageLost as error:
            raise _lost(path, error) from None
        except StorageUnavailable as error:
            raise unusable(path, error.__cause__) from None
        except OSError as error:
            raise unusable(data_dir, error) from None
        resources.callback(_note_last_head, gallery)
        resources.enter_context(trail.open(gallery.noted_audit_head()))
        resources.enter_context(housekeeping(database, [gallery.expire_all, _every(HEAD_S, gallery.note_audit_head)]))
        yield gallery


def _every(interval_s: float, chore: Callable[[], None]) -> Callable[[], None]:
    """Return a chore that does its work only if it was last done some time ago."""
    done_s = time.monotonic()

    def do() -> None:
        nonlocal done_s
        if time.monotonic() - done_s >= interval_s:
            chore()
            done_s = time.monotonic()

    return do


def _note_last_head(gallery: Gallery) -> None:
    with suppress(StorageUnavailable):  # then an older line is noted
        gallery.note_audit_head()


def _lost(path: Path, error: StorageLost) -> DataDirectoryUnusable:
    reason = f"{error.reason}: {error.__cause__}" if error.__cause__ else error.reason
    return DataDirectoryUnusable(
        f"{path} cannot be used ({reason}). Restore a backup into another directory (facenet restore), or set "
        "FACE_DATA_DIR to another directory."
    )
