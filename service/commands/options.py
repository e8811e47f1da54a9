"""The options that several commands share."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

import facenet_client
from facenet_client.environment import read_key
from service.commands.connection import Connection
from service.commands.enrolment.report import EnrolmentReport
from service.commands.output import say
from service.domain.command_errors import KeyUnreadable
from service.domain.identifiers import ID_PATTERN, ID_RULE

LOCAL = "http://127.0.0.1:8000"

Url = Annotated[str, typer.Option(envvar="FACENET_URL", help="the address of the service")]
KeyFile = Annotated[
    Path | None,
    typer.Option(envvar="FACENET_KEY_FILE", help="a file with the access key, if the service wants one"),
]

PeopleDirectory = Annotated[Path, typer.Argument(exists=True, file_okay=False, help="FOLDER/PERSON/PHOTOGRAPH.jpg")]
PhotographsDirectory = Annotated[
    Path, typer.Argument(exists=True, file_okay=False, metavar="FOLDER", help="all photographs below it are read")
]
Report = Annotated[Path | None, typer.Option(help="a file to write: one JSON line for each item that is not enrolled")]


def check_id(text: str | None) -> str | None:
    """Return the id of a collection or subject, or None. Raises typer.BadParameter."""
    if text is not None and not re.fullmatch(ID_PATTERN, text):
        raise typer.BadParameter(ID_RULE)
    return text


def check_rate(rate: float | None) -> float | None:
    """Return an error rate, or None. Raises typer.BadParameter."""
    if rate is not None and not 0 < rate < 1:
        raise typer.BadParameter("A rate is above 0 and below 1, such as 0.0001.")
    return rate


def connect(url: str, key_file: Path | None) -> Connection:
    """Return a connection with the key of the file. A key is never an option: other users see the options of a command.

    Raises KeyUnreadable, and typer.BadParameter for what is no URL.
    """
    try:
        return Connection(url, None if key_file is None else read_key(key_file))
    except facenet_client.KeyUnreadable as error:
        raise KeyUnreadable(str(error)) from None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def write_report(report: EnrolmentReport, file: Path | None) -> None:
    """Write a report to the file of the option, if it was given. It names people, so a new file is its owner's only.

    Raises typer.BadParameter.
    """
    if file is None:
        return
    try:
        with open(file, "w", encoding="utf-8", opener=_open_private) as opened:
            opened.writelines(f"{line}\n" for line in report.json_lines())
    except OSError as error:
        raise typer.BadParameter(f"The report cannot be written to {file}: {error.strerror}.") from None


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


@contextmanager
def photographs_progress(what: str, photographs: int) -> Iterator[Callable[[], object]]:
    """Show a progress bar on standard error. Yield what is called after each photograph, by any thread.

    The bar begins with the first photograph. So none is above an error that all have, such as an unknown collection.
    After Ctrl-C, say how many were done.
    """
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    progress = Progress(*columns, console=Console(stderr=True))
    task = progress.add_task(what, total=photographs)
    turn, has_ended = Lock(), False

    def done() -> None:
        with turn:
            if not has_ended:  # a thread that still works must not begin it again
                progress.start()  # once: later calls do nothing
            progress.advance(task)

    try:
        yield done
    except KeyboardInterrupt:
        say(f"{progress.tasks[task].completed:.0f} of {photographs} photographs were done.")
        raise
    finally:
        with turn:
            has_ended = True
        if progress.live.is_started:
            progress.stop()
