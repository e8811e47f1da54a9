"""Restore a backup into an empty data directory, without a running service."""

import os
from dataclasses import dataclass
from pathlib import Path

from service.domain.command_errors import BackupUnusable
from service.domain.errors import StorageUnavailable
from service.gallery.backup.archive import BackupReader, Manifest, open_backup
from service.gallery.records.encryption.encrypt import require_key
from service.gallery.records.encryption.key_file import OperatorKey
from service.gallery.records.migrate import known_revisions
from service.gallery.records.sqlite.connections import reading_copy
from service.gallery.records.sqlite.data_directory import (
    DATABASE_FILE,
    LOCK_FILE,
    lock_data_directory,
    sync_folder,
    write_mark,
)
from service.gallery.records.sqlite.reading_beside import check_copy
from service.gallery.records.statements import storage

PART_FILE = "restore.part"


@dataclass(frozen=True, slots=True)
class BackupKeys:
    """The keys for a backup. gallery: the id of the operator's key of the records. file: decrypts the file itself."""

    gallery: str | None = None
    file: OperatorKey | None = None


NO_KEYS = BackupKeys()


def restore(file: Path, data_dir: Path, usable_models: frozenset[str], keys: BackupKeys = NO_KEYS) -> Manifest:
    """Check a backup, and make the data directory from it. Return what was restored.

    The database gets its name last. So a restore that fails leaves a directory in which no service starts with a part.
    data_dir: is created. It may hold nothing but a lock.
    usable_models: the ids of the loaded model and of the models that are compatible with it.
    Raises BackupUnusable or StartupError.
    """
    with open_backup(file, keys.file) as backup:
        require_key(file, backup.manifest.encryption_key, keys.gallery)
        _require_usable(backup.manifest, usable_models)
        with lock_data_directory(data_dir):
            _require_empty(data_dir)
            try:
                _write(backup, data_dir)
            except OSError as error:
                raise BackupUnusable(f"The backup cannot be written to {data_dir}: {error.strerror}.") from None
        return backup.manifest


def _require_empty(data_dir: Path) -> None:
    others = sorted(path.name for path in data_dir.iterdir() if path.name != LOCK_FILE)
    if others:
        raise BackupUnusable(
            f"{data_dir} is not empty: it holds {', '.join(others[:4])}. Set FACE_DATA_DIR to another directory, or "
            "move the files away."
        )


def _write(backup: BackupReader, data_dir: Path) -> None:
    part = data_dir / PART_FILE
    try:
        _copy(backup, part)
        _check(part, backup.manifest)
        write_mark(data_dir, backup.manifest.gallery)
        part.replace(data_dir / DATABASE_FILE)
        sync_folder(data_dir)
    finally:
        part.unlink(missing_ok=True)


def _require_usable(manifest: Manifest, usable_models: frozenset[str]) -> None:
    if manifest.revision not in known_revisions():
        raise BackupUnusable(
            f"A newer version of the service made the backup (its revision is {manifest.revision}). Restore it with "
            "that version."
        )
    if manifest.models and usable_models.isdisjoint(manifest.models):
        raise BackupUnusable(
            f"The embeddings of the backup were made by the model {manifest.models[0]}, and the loaded model cannot be "
            "compared with it. Set FACE_MODELS__EMBEDDER to the model of the backup."
        )


def _copy(backup: BackupReader, part: Path) -> None:
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
        backup.copy_database(target)
        target.flush()
        os.fsync(target.fileno())


def _check(database: Path, manifest: Manifest) -> None:
    """Check that the database is intact, and holds what the manifest says. Raises BackupUnusable."""
    try:
        check_copy(database)
        with reading_copy(database) as connection:
            found = storage.describe(connection)
    except StorageUnavailable:
        raise BackupUnusable("The database of the backup is damaged. Use another backup.") from None
    if found != manifest.stored():
        raise BackupUnusable("The database of the backup is not what its manifest says. Use another backup.")
