"""What commands print and write: names that cannot do harm, and new files that only their owner can read."""

import csv
import io
import os
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import typer

from service.access.new_file import write_new_file
from service.domain.command_errors import FileNotWritten

FORMULA_STARTS = ("=", "+", "-", "@")
"""A spreadsheet computes a cell that begins with one of these, and a formula can send data away."""

INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells count it: 128 + SIGINT."""


def printable(name: str) -> str:
    """Return a name of a file or person as text that can be printed: Unicode without control characters."""
    text = name.encode("utf-8", "replace").decode()
    return "".join(" " if unicodedata.category(letter) == "Cc" else letter for letter in text)


def csv_text(header: Sequence[str], rows: Iterable[Sequence[str | float | None]]) -> str:
    """Return CSV (RFC 4180). A text that a spreadsheet would compute gets an apostrophe before it."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def write_text(file: Path, text: str) -> None:
    """Write a new file that only its owner can read. Raises FileNotWritten, also if the file exists."""
    try:
        write_new_file(file, text)
    except FileExistsError:
        raise FileNotWritten(f"{file} exists already. Choose another name.") from None
    except OSError as error:
        raise FileNotWritten(f"{file} cannot be written: {error.strerror}.") from None


def require_new(*files: Path | None) -> None:
    """Raise FileNotWritten if a file exists already or its folder cannot be written, before any work is done."""
    for file in files:
        if file is None:
            continue
        if file.exists():
            raise FileNotWritten(f"{file} exists already. Choose another name.")
        if not (file.parent.is_dir() and os.access(file.parent, os.W_OK)):
            raise FileNotWritten(f"{file} cannot be written: {file.parent} is not a folder, or not one of this user.")


@contextmanager
def explains_interrupt(how_to_go_on: str) -> Iterator[None]:
    """After Ctrl-C, say how to go on, and end the command. how_to_go_on: one or two sentences."""
    try:
        yield
    except KeyboardInterrupt:
        say(f"Stopped. {how_to_go_on}")
        raise typer.Exit(INTERRUPTED) from None


@contextmanager
def ends_silently_if_nobody_reads() -> Iterator[None]:
    """End the command without a word if the reader of its output, such as head, has closed the pipe.

    The exit code is then 1, as click has it for an output that is written before the command ends.
    """
    try:
        try:
            yield
        finally:
            sys.stdout.flush()  # otherwise Python does it later, and prints the error
    except BrokenPipeError:
        # Python keeps the rest of the output, and writes it later.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def say(sentence: str) -> None:
    """Print a line for the person at the terminal, on standard error. It is no part of the output."""
    print(f"facenet: {sentence}", file=sys.stderr)  # noqa: T201  # its output


def _cell(value: str | float | None) -> str | float | None:
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.lstrip().startswith(FORMULA_STARTS) else text
