"""Save all that a running service knows of one subject in a file."""

import os
from pathlib import Path

from service.client.connection import Connection
from service.domain.command_errors import FileNotWritten


def save_subject(service: Connection, collection: str, subject: str, file: Path) -> None:
    """Write the export of a subject to a new file, readable by its owner only.

    The file gets its name when it is complete. Raises FileNotWritten, RequestRefused or Unreachable.
    """
    if file.exists():
        raise FileNotWritten(f"{file} exists already. Choose another name.")
    part = file.with_name(f"{file.name}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as target:
            service.download("GET", f"/collections/{collection}/subjects/{subject}/export", target)
            target.flush()
            os.fsync(target.fileno())
        part.rename(file)
    except OSError as error:
        raise FileNotWritten(f"The export cannot be written to {file}: {error.strerror}.") from None
    finally:
        part.unlink(missing_ok=True)
