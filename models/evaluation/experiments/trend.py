"""VAL of several models against one number of each model: FaceNet's Tables 5 and 6, and Figure 4.

number                   section   command
embedding dimension      5.4       evaluate dimensions
amount of training data  5.5       evaluate learning-curve
multiply-adds            5.1       evaluate tradeoff
"""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FixedLocator, FuncFormatter, NullFormatter

from models.evaluation.experiments.verification import VAL_OF_SPLITS
from models.evaluation.metrics.labelled_pairs import MeanWithError
from models.evaluation.reports.report import Row, new_figure

MAX_TICKS = 6
"""How many numbers fit side by side on an axis."""


@dataclass(frozen=True, slots=True)
class Point:
    """The result of a model.

    model: its name.
    number: above 0. What it is depends on the trend, such as the dimension.
    val: VAL at FMR 1e-3, the mean over the splits.
    """

    model: str
    number: float
    val: MeanWithError


@dataclass(frozen=True, slots=True)
class Trend:
    """The results of several models.

    number_name: what the numbers of the points are, in words.
    line: the line between neighbouring points, in Matplotlib's notation. "none" draws no line.
    points: in the order of their numbers.
    """

    number_name: str
    line: str
    points: tuple[Point, ...]

    def rows(self) -> list[Row]:
        """Return the rows of the table. The first row is the header."""
        return [
            (self.number_name, VAL_OF_SPLITS, "model"),
            *((f"{point.number:,.0f}", point.val.as_percent, point.model) for point in self.points),
        ]

    def numbers(self) -> dict[str, object]:
        """Return the number and VAL of each model."""
        return {
            "number": self.number_name,
            "val_at_fmr_1e-3": [
                {
                    "model": point.model,
                    "number": point.number,
                    "val": point.val.value,
                    "standard_error": point.val.standard_error,
                }
                for point in self.points
            ],
        }

    def draw(self) -> Figure:
        """Draw VAL with its standard error against the number."""
        figure = new_figure()
        axes = figure.subplots()
        numbers = [point.number for point in self.points]
        vals = [100 * point.val.value for point in self.points]
        errors = [100 * point.val.standard_error for point in self.points]
        axes.errorbar(numbers, vals, errors, marker="o", linestyle=self.line, capsize=4)
        for row, (number, val, point) in enumerate(zip(numbers, vals, self.points, strict=True)):
            # Neighbouring points are often too close. So their names are written alternately above and below.
            offset = (7, 4 if row % 2 else -10)
            axes.annotate(point.model, (number, val), xytext=offset, textcoords="offset points", fontsize=8)
        axes.set(xlabel=self.number_name, ylabel=f"{VAL_OF_SPLITS} (%)")
        _scale_axis(axes, numbers)
        axes.grid(visible=True, alpha=0.3)
        return figure


def _scale_axis(axes: Axes, numbers: Sequence[float]) -> None:
    """Make the axis of the numbers logarithmic, with room for the names. Up to MAX_TICKS numbers become the ticks."""
    axes.set_xscale("log")
    axes.set_xlim(min(numbers) / 1.5, max(numbers) * 3)
    axes.xaxis.set_major_formatter(FuncFormatter(_format_tick))
    axes.xaxis.set_minor_formatter(NullFormatter())
    if len(set(numbers)) <= MAX_TICKS:
        axes.xaxis.set_major_locator(FixedLocator(sorted(set(numbers))))


def _format_tick(number: float, _position: int | None) -> str:
    """Return a number up to 99,999 with all digits, and a larger number as a text such as 584.2M or 1.4G."""
    return f"{number:,.0f}" if number < 1e5 else EngFormatter(places=1, sep="")(number)


def make_trend(number_name: str, points: Sequence[Point], line: str = "none") -> Trend:
    """Return the trend, with the points in the order of their numbers."""
    return Trend(number_name, line, tuple(sorted(points, key=lambda point: (point.number, point.model))))
