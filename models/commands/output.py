"""What commands print and write: tables on standard output, and reports in a folder."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from models.evaluation.reports.report import Report, Row

WIDTH_OF_FILE = 200
"""Columns, if the output is no terminal. By default it would be 80, and the cells of a wide table would be cut."""


def command_line() -> str:
    """Return the command as the user typed it."""
    return shlex.join(["facenet-models", *sys.argv[1:]])


def print_table(rows: Sequence["Row"]) -> None:
    """Print a table. The first row is its header."""
    table = Table(*rows[0])
    for row in rows[1:]:
        table.add_row(*row)
    Console(width=None if Console().is_terminal else WIDTH_OF_FILE).print(table)


def finish_report(report: "Report", folder: Path, name: str, *models: str) -> None:
    """Write the report to NAME.json and NAME.png in the folder, then print its table.

    models: the measured models. They go into the JSON.
    """
    from models.evaluation.reports.report import write_report  # noqa: PLC0415  # Matplotlib needs seconds to import

    write_report(report, folder, name, {"models": models, "command": command_line()})
    print_table(report.rows())
