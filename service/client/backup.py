"""Save a backup of a running service, and check the file."""

import os
from pathlib import Path

from service.client.connection import Connection
from service.client.downloads import new_download
from service.domain.command_errors import BackupUnusable
from service.gallery.backup.archive import Manifest, open_backup


def save_backup(service: Connection, file: Path) -> Manifest:
    """Write a backup of the whole gallery to a new file, readable by its owner only. Return what it holds.

    The file gets its name when it is complete and checked.
    Raises BackupUnusable, RequestRefused or Unreachable.
    """
    if file.exists():
        raise BackupUnusable(f"{file} exists already. Choose another name: an older backup is not overwritten.")
    try:
        with new_download(file) as (target, part):
            service.download("POST", "/backup", target)
            target.flush()
            with open_backup(part) as backup, Path(os.devnull).open("wb") as nowhere:
                backup.copy_database(nowhere)
    except OSError as error:
        raise BackupUnusable(f"The backup cannot be written to {file}: {error.strerror}.") from None
    return backup.manifest
