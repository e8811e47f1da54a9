"""VAL of several models against one number of each: FaceNet's Tables 5 and 6 and Figure 4.

the number               section   command
dimension                5.4       evaluate dimensions
what it was trained on   5.5       evaluate learning-curve
multiply-adds            5.1       evaluate tradeoff
"""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FixedLocator, FuncFormatter, NullFormatter

from models.evaluation.metrics import Mean
from models.evaluation.report import Row, canvas
from models.evaluation.verification import VAL_OF_SPLITS

FEW = 6
"""So many numbers stand beside each other on an axis."""


@dataclass(frozen=True, slots=True)
class Point:
    """A model by name, its number, and its VAL at FAR 1e-3 over the splits."""

    model: str
    number: float
    val: Mean


@dataclass(frozen=True, slots=True)
class Trend:
    """number: what the points' numbers are, in words. line: matplotlib's, between neighbours; "none" for no line."""

    number: str
    line: str
    points: tuple[Point, ...]

    def rows(self) -> list[Row]:
        """What the table shows; the first names the columns."""
        header = (self.number, VAL_OF_SPLITS, "model")
        return [header, *((f"{one.number:,.0f}", one.val.percent, one.model) for one in self.points)]

    def figures(self) -> dict[str, object]:
        """The points, in the order of their numbers."""
        return {
            "number": self.number,
            "val_at_far_1e-3": [
                {
                    "model": one.model,
                    "number": one.number,
                    "val": one.val.value,
                    "standard_error": one.val.standard_error,
                }
                for one in self.points
            ],
        }

    def draw(self) -> Figure:
        """VAL against the number, with its standard error."""
        figure = canvas()
        axes = figure.subplots()
        numbers = [one.number for one in self.points]
        vals, errors = zip(*((100 * one.val.value, 100 * one.val.standard_error) for one in self.points), strict=True)
        axes.errorbar(numbers, vals, errors, marker="o", linestyle=self.line, capsize=4)
        for place, (number, val, one) in enumerate(zip(numbers, vals, self.points, strict=True)):
            beside = (7, 4 if place % 2 else -10)  # neighbours are often too near for names on one line
            axes.annotate(one.model, (number, val), xytext=beside, textcoords="offset points", fontsize=8)
        axes.set(xlabel=self.number, ylabel=f"{VAL_OF_SPLITS} (%)")
        _scale(axes, numbers)
        axes.grid(visible=True, alpha=0.3)
        return figure


def _scale(axes: Axes, numbers: Sequence[float]) -> None:
    """Logarithmic, with room for the names; where the numbers are few, they are the marks."""
    axes.set_xscale("log")
    axes.set_xlim(min(numbers) / 1.5, max(numbers) * 3)
    axes.xaxis.set_major_formatter(FuncFormatter(_short))
    axes.xaxis.set_minor_formatter(NullFormatter())
    if len(set(numbers)) <= FEW:
        axes.xaxis.set_major_locator(FixedLocator(sorted(set(numbers))))


def _short(number: float, _place: int | None) -> str:
    """Whole up to 99,999; 584.2M or 1.4G beyond."""
    return f"{number:,.0f}" if number < 1e5 else EngFormatter(places=1, sep="")(number)


def trend(number: str, points: Sequence[Point], line: str = "none") -> Trend:
    """The points in the order of their numbers, which are above 0."""
    return Trend(number, line, tuple(sorted(points, key=lambda one: (one.number, one.model))))
