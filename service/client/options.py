"""The options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from service.client.connection import Connection
from service.domain.command_errors import KeyUnreadable

LOCAL = "http://127.0.0.1:8000"

Url = Annotated[str, typer.Option(help="the address of the service")]
KeyFile = Annotated[
    Path | None,
    typer.Option(envvar="FACENET_KEY_FILE", help="a file with the access key, if the service wants one"),
]

Folder = Annotated[Path, typer.Argument(exists=True, file_okay=False, help="FOLDER/PERSON/PHOTOGRAPH.jpg")]
Report = Annotated[Path | None, typer.Option(help="a file to write: one JSON line for each item that is not enrolled")]


def connect(url: str, key_file: Path | None) -> Connection:
    """Return a connection with the key of the file. A key is never an option: other users see the options of a command.

    Raises KeyUnreadable.
    """
    if key_file is None:
        return Connection(url)
    try:
        key = key_file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise KeyUnreadable(key_file) from None
    if not key or not key.isprintable():
        raise KeyUnreadable(key_file)
    return Connection(url, key)
