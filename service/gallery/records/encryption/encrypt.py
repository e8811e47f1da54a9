"""Encrypt a gallery that is still plain, and replace the key of the operator."""

import errno
import time
from pathlib import Path

import structlog

from service.domain.command_errors import KeyFileUnusable
from service.domain.errors import StorageUnavailable
from service.gallery.records.database import Database
from service.gallery.records.encryption.data_keys import WrappedDataKeys
from service.gallery.records.statements import encryption, storage

LOG = structlog.get_logger(__name__)
SET_KEY = "Set FACE_GALLERY__ENCRYPTION_KEY_FILE to the file of that key."


def require_key(name: Path, needed: str | None, found: str | None, advice: str = SET_KEY) -> None:
    """Raise KeyFileUnusable if the gallery or the backup `name` is encrypted, and the key is missing or another one.

    needed, found: ids of keys. None: it is plain, or there is no key. advice: what to do.
    """
    if needed is not None and found != needed:
        reason = "no key is set" if found is None else f"the key file holds the key {found}"
        raise KeyFileUnusable(f"{name} is encrypted with the key {needed}, and {reason}. {advice}")


def encrypt(database: Database, key_id: str | None) -> None:
    """Encrypt the records if there is a key and they are plain, and remove the plain bytes from the disk.

    All of it is one transaction. So a crash leaves a plain or an encrypted gallery. If the crash comes after the
    transaction, unused parts of the file still hold plain bytes, and the next start removes them.
    Raises StorageUnavailable.
    """
    with database.writing() as connection:
        if encryption.operator_key_id(connection) == key_id:
            return
        encryption.encrypt_all(connection)
        storage.set_needs_rewrite(connection)
    _remove_remains(database)
    LOG.info("gallery_encrypted", key=key_id)


def rewrap(database: Database, old: WrappedDataKeys, new: WrappedDataKeys) -> int:
    """Wrap all data keys with another key, in one transaction, and remove the old ones from the disk.

    Returns how many data keys there are. If the old ones cannot be removed now, the next start removes them.
    Raises StorageUnavailable.
    """
    with database.writing() as connection:
        wrapped = encryption.rewrap_all(connection, old, new)
        storage.set_needs_rewrite(connection)
    try:
        _remove_remains(database)
    except StorageUnavailable as error:
        LOG.warning("old_data_keys_kept", reason=str(error.__cause__), until="the next start with enough free space")
    return wrapped


def _remove_remains(database: Database) -> None:
    database.erased_at_s = time.monotonic()
    if not database.rewrite():
        raise StorageUnavailable from OSError(errno.EBUSY, "another program reads the database")
