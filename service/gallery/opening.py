"""Open the gallery in its data directory."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from pathlib import Path

import structlog

from service.domain.command_errors import DataDirectoryUnusable, KeyFileUnusable
from service.domain.errors import StorageLost, StorageUnavailable
from service.gallery.base import NO_GALLERY_LOG, GalleryLog
from service.gallery.data_directory import (
    DATABASE_FILE,
    LOCK_FILE,
    SNAPSHOTS_FOLDER,
    lock_data_directory,
    read_mark,
    unusable,
    write_mark,
)
from service.gallery.gallery import Gallery
from service.gallery.indexes import index_factory
from service.gallery.indexes.segments.snapshot import SnapshotFolder
from service.gallery.records.database import COPY_FILE, Database
from service.gallery.records.encryption.data_keys import DataKeys, WrappedDataKeys, data_keys
from service.gallery.records.encryption.encrypt import encrypt, require_key, rewrap, stored_key_id
from service.gallery.records.encryption.key_file import OperatorKey, read_key_file
from service.gallery.records.housekeeping import MAX_WAIT_S, housekeeping
from service.observability.heap import return_freed_memory

LOG = structlog.get_logger(__name__)
HEAD_S = 60.0
"""How often the last line of the audit log is noted in the records."""
IDLE_INDEXES_S = 60.0
"""How often small indexes that are not used are forgotten."""
AGREEMENT_S = 30.0
"""How often it is asked whether a compressed index is to be compared with exact search."""
CHECK_S = 5.0
"""How often it is asked whether the structure of a large database file is still to be checked."""
FREED_MEMORY_S = 60.0
"""How often freed memory is given back to the system."""


@contextmanager
def open_gallery(
    data_dir: Path, index: str, log: GalleryLog = NO_GALLERY_LOG, key_file: Path | None = None
) -> Iterator[Gallery]:
    """Open the records in a directory, migrate them to this version, and encrypt them. Begin to build large indexes.

    The directory is created if it does not exist. No other process can use it until the context ends.
    index: a name in `indexes.INDEXES` or `indexes.FORMER_NAMES`.
    log: the audit log.
    key_file: encrypts the records, if they are not encrypted yet. None: they are plain.
    Raises InvalidSettings, KeyFileUnusable, DataDirectoryInUse, DataDirectoryUnusable or AuditUnusable.
    """
    create_index = index_factory(index)  # before anything else: a wrong name makes no directory
    keys = data_keys(None if key_file is None else _read_key(key_file, data_dir))
    with ExitStack() as resources:
        with _directory_errors(data_dir):
            database = resources.enter_context(_open_database(data_dir, keys))
            encrypt(database, keys.key_id)
            LOG.info("gallery_opened", encryption_key=keys.key_id or "none")
            gallery = Gallery(database, create_index, log, snapshots=_snapshots(data_dir, keys))
        resources.callback(gallery.indexes.stop)
        resources.callback(database.interrupt_check)
        resources.callback(_note_last_head, gallery)
        resources.enter_context(log.open(gallery.noted_audit_head()))
        chores = [
            gallery.expire_all,
            _every(HEAD_S, gallery.note_audit_head),
            _every(IDLE_INDEXES_S, gallery.indexes.discard_idle),
            _every(MAX_WAIT_S, gallery.indexes.save),
            _every(AGREEMENT_S, gallery.indexes.measure_agreement),
            _every(FREED_MEMORY_S, return_freed_memory),
            _every(CHECK_S, partial(_check_structure, database, gallery)),
        ]
        resources.enter_context(housekeeping(database, chores))
        yield gallery


def rotate_encryption_key(data_dir: Path, old_file: Path, new_file: Path) -> int:
    """Wrap the data keys of an encrypted gallery with another key. No service may use the directory.

    Returns how many data keys there are. If it is interrupted, the gallery has the old key or the new one.
    Raises KeyFileUnusable, DataDirectoryInUse or DataDirectoryUnusable.
    """
    old, new = (WrappedDataKeys(read_key_file(file)) for file in (old_file, new_file))
    with _directory_errors(data_dir):
        stored = stored_key_id(data_dir / DATABASE_FILE)
        if stored is None:
            raise KeyFileUnusable(f"{data_dir} holds no encrypted gallery. The first start with a key encrypts it.")
        require_key(data_dir, stored, old.key_id, "Name the file of that key first: it is the one that is replaced.")
        with _open_database(data_dir, old) as database:
            return rewrap(database, old, new)


def _read_key(key_file: Path, data_dir: Path) -> OperatorKey:
    if key_file.resolve().is_relative_to(data_dir.resolve()):
        raise KeyFileUnusable(
            f"The key file {key_file} is in the data directory, so a copy of the directory would hold it. Move it to "
            "another place."
        )
    return read_key_file(key_file)


@contextmanager
def _open_database(data_dir: Path, keys: DataKeys) -> Iterator[Database]:
    path = data_dir / DATABASE_FILE
    with ExitStack() as resources:
        resources.enter_context(lock_data_directory(data_dir))
        marked = read_mark(data_dir)
        require_key(path, stored_key_id(path), keys.key_id)
        os.environ["SQLITE_TMPDIR"] = str(data_dir.absolute())  # else a rewrite would write to /var/tmp
        (data_dir / COPY_FILE).unlink(missing_ok=True)  # a killed service may have left it
        database = resources.enter_context(closing(Database(path, [data_dir / LOCK_FILE], keys)))
        found = database.migrate(marked)
        if marked is None:
            write_mark(data_dir, found)
        yield database


@contextmanager
def _directory_errors(data_dir: Path) -> Iterator[None]:
    """Turn the errors of the storage into errors of the start."""
    path = data_dir / DATABASE_FILE
    try:
        yield
    except StorageLost as error:
        raise _lost(path, error) from None
    except StorageUnavailable as error:
        raise unusable(path, error.__cause__) from None
    except OSError as error:
        raise unusable(data_dir, error) from None


def _snapshots(data_dir: Path, keys: DataKeys) -> SnapshotFolder:
    """Return the folder of the snapshots. An encrypted gallery has none, also if it was plain before."""
    folder = SnapshotFolder(data_dir / SNAPSHOTS_FOLDER, read_mark(data_dir) or "")
    if keys.key_id:
        folder.keep_only(())
    return folder


def _check_structure(database: Database, gallery: Gallery) -> None:
    """Check a large file when the indexes are built, which searches wait for, and when nothing was deleted."""
    if not database.is_checked and database.erased_at_s is None and gallery.indexes.background.is_idle:
        gallery.indexes.checks.begin_if_idle(database.check_structure)


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
