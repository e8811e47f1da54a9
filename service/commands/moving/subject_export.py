"""Save all that a running service knows of one subject in a file."""

import json
from pathlib import Path

from facenet_client.calls import Download, path_of
from service.commands.connection import Connection
from service.commands.moving.downloads import new_download
from service.domain.command_errors import FileNotWritten


def save_subject(service: Connection, collection: str, subject: str, file: Path) -> None:
    """Write the export of a subject to a new file, readable by its owner only.

    The file gets its name when it is complete. Raises FileNotWritten, RequestRefused or Unreachable.
    """
    if file.exists():
        raise FileNotWritten(f"{file} exists already. Choose another name.")
    path = path_of("collections", collection, "subjects", subject, "export")
    try:
        with new_download(file) as (target, part):
            service.download(Download("GET", path, target))
            target.flush()
            _require_export(part)
    except OSError as error:
        raise FileNotWritten(f"The export cannot be written to {file}: {error.strerror}.") from None


def _require_export(file: Path) -> None:
    """Raise FileNotWritten if another program than the service has answered."""
    try:
        content = json.loads(file.read_bytes())
    except ValueError:
        content = None
    if not isinstance(content, dict) or "subject" not in content:
        raise FileNotWritten("The answer is not the export of a subject. Check the address (--url).")
