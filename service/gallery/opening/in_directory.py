"""Open a gallery whose records are in a data directory."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import structlog

from service.domain.command_errors import DataDirectoryUnusable, KeyFileUnusable
from service.domain.errors import StorageLost, StorageUnavailable
from service.gallery.base import GalleryLog
from service.gallery.gallery import Gallery
from service.gallery.indexes.base import CreateIndex
from service.gallery.indexes.segments.snapshot import SnapshotFolder
from service.gallery.opening.running import running
from service.gallery.records.encryption.data_keys import DataKeys, WrappedDataKeys, data_keys
from service.gallery.records.encryption.encrypt import encrypt, require_key, rewrap
from service.gallery.records.encryption.key_file import OperatorKey, read_key_file
from service.gallery.records.sqlite.data_directory import (
    DATABASE_FILE,
    LOCK_FILE,
    SNAPSHOTS_FOLDER,
    lock_data_directory,
    read_mark,
    unusable,
    write_mark,
)
from service.gallery.records.sqlite.database import COPY_FILE, SqliteDatabase
from service.gallery.records.sqlite.reading_beside import stored_key_id
from service.gallery.records.statements.indexed_faces import StoresVectors
from service.gallery.records.vector_changes import VectorChanges
from service.gallery.search.background import Background
from service.gallery.search.face_search import OpenSearch
from service.gallery.search.in_memory.search import in_memory
from service.gallery.search.milvus.address import MilvusAddress
from service.gallery.search.milvus.search import by_milvus
from service.gallery.threads import every

LOG = structlog.get_logger(__name__)
CHECK_S = 5.0
"""How often it is asked whether the structure of a large database file is still to be checked."""


@contextmanager
def open_in_directory(
    data_dir: Path, searched_by: CreateIndex | MilvusAddress, log: GalleryLog, key_file: Path | None
) -> Iterator[Gallery]:
    """Open the records in a directory. `open_gallery` describes the other arguments and the errors.

    searched_by: creates the indexes in memory, or says where the Milvus server is.
    """
    keys = data_keys(None if key_file is None else _read_key(key_file, data_dir))
    with ExitStack() as resources:
        with directory_errors(data_dir):
            vectors = VectorChanges() if isinstance(searched_by, MilvusAddress) else None
            database = resources.enter_context(_open_database(data_dir, keys, vectors))
            encrypt(database, keys.key_id)
            LOG.info("gallery_opened", encryption_key=keys.key_id or "none")
            gallery = Gallery(database, _search(searched_by, data_dir, keys), log)
        checks = Background()
        resources.callback(checks.stop)
        resources.callback(database.interrupt_check)
        check = every(CHECK_S, lambda: _check_structure(database, gallery, checks))
        yield resources.enter_context(running(gallery, log, [check]))


def rotate_encryption_key(data_dir: Path, old_file: Path, new_file: Path) -> int:
    """Wrap the data keys of an encrypted gallery with another key. No service may use the directory.

    Returns how many data keys there are. If it is interrupted, the gallery has the old key or the new one.
    Raises KeyFileUnusable, DataDirectoryInUse or DataDirectoryUnusable.
    """
    old, new = (WrappedDataKeys(read_key_file(file)) for file in (old_file, new_file))
    with directory_errors(data_dir):
        stored = stored_key_id(data_dir / DATABASE_FILE)
        if stored is None:
            raise KeyFileUnusable(f"{data_dir} holds no encrypted gallery. The first start with a key encrypts it.")
        require_key(data_dir, stored, old.key_id, "Name the file of that key first: it is the one that is replaced.")
        with _open_database(data_dir, old, None) as database:
            return rewrap(database, old, new)


def _read_key(key_file: Path, data_dir: Path) -> OperatorKey:
    if key_file.resolve().is_relative_to(data_dir.resolve()):
        raise KeyFileUnusable(
            f"The key file {key_file} is in the data directory, so a copy of the directory would hold it. Move it to "
            "another place."
        )
    return read_key_file(key_file)


@contextmanager
def _open_database(data_dir: Path, keys: DataKeys, vectors: StoresVectors | None) -> Iterator[SqliteDatabase]:
    path = data_dir / DATABASE_FILE
    with ExitStack() as resources:
        resources.enter_context(lock_data_directory(data_dir))
        marked = read_mark(data_dir)
        require_key(path, stored_key_id(path), keys.key_id)
        os.environ["SQLITE_TMPDIR"] = str(data_dir.absolute())  # else a rewrite would write to /var/tmp
        (data_dir / COPY_FILE).unlink(missing_ok=True)  # a killed service may have left it
        database = resources.enter_context(closing(SqliteDatabase(path, [data_dir / LOCK_FILE], keys, vectors)))
        found = database.migrate(marked)
        if marked is None:
            write_mark(data_dir, found)
        yield database


@contextmanager
def directory_errors(data_dir: Path) -> Iterator[None]:
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


def _search(searched_by: CreateIndex | MilvusAddress, data_dir: Path, keys: DataKeys) -> OpenSearch:
    if isinstance(searched_by, MilvusAddress):
        return by_milvus(searched_by)
    return in_memory(searched_by, _snapshots(data_dir, keys))


def _snapshots(data_dir: Path, keys: DataKeys) -> SnapshotFolder:
    """Return the folder of the snapshots. An encrypted gallery has none, also if it was plain before."""
    folder = SnapshotFolder(data_dir / SNAPSHOTS_FOLDER, read_mark(data_dir) or "")
    if keys.key_id:
        folder.keep_only(())
    return folder


def _check_structure(database: SqliteDatabase, gallery: Gallery, checks: Background) -> None:
    """Check a large file when the indexes are built, which searches wait for, and when nothing was deleted."""
    if not database.is_checked and database.erased_at_s is None and gallery.face_search.is_idle:
        checks.begin_if_idle(database.check_structure)


def _lost(path: Path, error: StorageLost) -> DataDirectoryUnusable:
    reason = f"{error.reason}: {error.__cause__}" if error.__cause__ else error.reason
    return DataDirectoryUnusable(
        f"{path} cannot be used ({reason}). Restore a backup into another directory (facenet restore), or set "
        "FACE_DATA_DIR to another directory."
    )
