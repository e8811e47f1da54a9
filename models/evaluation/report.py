"""What an evaluation leaves: figures in NAME.json, a picture in NAME.png, and rows for a table."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.files import write_atomically

DPI = 120

Row = tuple[str, ...]
"""A row of a table, in words."""


class Report(Protocol):
    """What was measured, ready to be told."""

    def rows(self) -> list[Row]:
        """What the table shows; the first names the columns."""
        ...

    def figures(self) -> dict[str, object]:
        """The numbers by name, as JSON holds them."""
        ...

    def draw(self) -> Figure:
        """The picture."""
        ...


def write(report: Report, folder: Path, name: str, settings: Mapping[str, object]) -> None:
    """Writes NAME.json and NAME.png, once both are made. settings: what was measured and how, said in the JSON."""
    text = json.dumps({"settings": dict(settings), "figures": report.figures()}, indent=1, allow_nan=False)
    picture = png(report.draw())
    write_atomically(folder / f"{name}.json", text.encode())
    write_atomically(folder / f"{name}.png", picture)


def png(figure: Figure) -> bytes:
    """The figure as a file, at its own resolution."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=figure.dpi)
    return file.getvalue()


def canvas(width_in: float = 6.0, height_in: float = 4.5) -> Figure:
    """A figure whose labels find their own room. Sizes are in inches."""
    return Figure(figsize=(width_in, height_in), dpi=DPI, layout="constrained")


def roc_axes(figure: Figure) -> Axes:
    """For VAL against FAR, which is logarithmic."""
    axes = figure.subplots()
    axes.set(xscale="log", xlabel="FAR (false match rate)", ylabel="VAL (1 - FNMR)")
    axes.grid(visible=True, which="both", alpha=0.3)
    return axes
