"""Save a backup of a running service, and check the file."""

import os
from contextlib import nullcontext
from pathlib import Path

from service.commands.connection import Connection
from service.commands.moving.downloads import new_download
from service.domain.command_errors import BackupUnusable
from service.gallery.backup.archive import Manifest, open_backup
from service.gallery.backup.encrypted_file import encrypting
from service.gallery.records.encryption.key_file import OperatorKey


def save_backup(service: Connection, file: Path, key: OperatorKey | None = None) -> Manifest:
    """Write a backup of the whole gallery to a new file, readable by its owner only. Return what it holds.

    key: encrypts the file while it is written. So its plain bytes are never on the disk. None: it is as it came.
    The file gets its name when it is complete and checked.
    Raises BackupUnusable, RequestRefused or Unreachable.
    """
    if file.exists():
        raise BackupUnusable(f"{file} exists already. Choose another name: an older backup is not overwritten.")
    try:
        with new_download(file) as (target, part):
            with nullcontext(target) if key is None else encrypting(target, key) as sink:
                service.backup(sink)
            target.flush()
            with open_backup(part, key) as backup, Path(os.devnull).open("wb") as nowhere:
                backup.copy_database(nowhere)
    except OSError as error:
        raise BackupUnusable(f"The backup cannot be written to {file}: {error.strerror}.") from None
    return backup.manifest
