"""What an evaluation writes: numbers in NAME.json, a picture in NAME.png, and rows of a table."""

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
"""The cells of a row of a table, as text."""


class Report(Protocol):
    """The result of an evaluation."""

    def rows(self) -> list[Row]:
        """Return the rows of the table. The first row is the header."""
        ...

    def numbers(self) -> dict[str, object]:
        """Return the measured numbers by name. All values can be written as JSON."""
        ...

    def draw(self) -> Figure:
        """Return the picture."""
        ...


def write_report(report: Report, folder: Path, name: str, settings: Mapping[str, object]) -> None:
    """Write NAME.json and NAME.png. The contents of both files are made before the first file is written.

    settings: what was measured and how. It goes into the JSON.
    Raises ValueError if a number is not finite.
    """
    text = json.dumps({"settings": dict(settings), "figures": report.numbers()}, indent=1, allow_nan=False)
    figure = report.draw()
    add_title(figure, settings)
    picture = to_png(figure)
    write_atomically(folder / f"{name}.json", text.encode())
    write_atomically(folder / f"{name}.png", picture)


def add_title(figure: Figure, settings: Mapping[str, object]) -> None:
    """Write the measured models above the picture, if it has no title of its own. settings: of `write_report`."""
    models = settings.get("models")
    if isinstance(models, list | tuple) and not figure.get_suptitle():
        figure.suptitle(", ".join(Path(model).stem for model in models), fontsize=9)


def to_png(figure: Figure) -> bytes:
    """Return the figure as a PNG file, at its own resolution."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=figure.dpi)
    return file.getvalue()


def new_figure(width_in: float = 6.0, height_in: float = 4.5) -> Figure:
    """Return an empty figure that makes room for its labels. Sizes are in inches."""
    return Figure(figsize=(width_in, height_in), dpi=DPI, layout="constrained")


def add_roc_axes(figure: Figure) -> Axes:
    """Return axes for VAL against FMR, which the paper calls FAR. The axis of FMR is logarithmic."""
    axes = figure.subplots()
    axes.set(xscale="log", xlabel="FMR", ylabel="VAL (1 - FNMR)")
    axes.grid(visible=True, which="both", alpha=0.3)
    return axes
