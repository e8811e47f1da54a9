"""Every pair of LFW that is decided wrongly, as a picture (FaceNet, Figure 6).

The threshold of each is that of its fold, which the other nine chose: what the accuracy is computed with.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.evaluation import lfw, sheet
from models.evaluation.pairs import Pairs
from models.evaluation.report import Row
from models.evaluation.sheet import Section, Tile
from service.domain import Crops
from service.pipeline import PipelineOptions

COLUMNS = 6


@dataclass(frozen=True, slots=True)
class WrongPair:
    """Two photographs, their squared L2 distance, and the threshold that it is on the wrong side of."""

    left: str
    right: str
    distance: float
    threshold: float

    @property
    def margin(self) -> float:
        """How far on the wrong side."""
        return abs(self.distance - self.threshold)

    def told(self) -> dict[str, object]:
        """As JSON holds it."""
        return {
            "left": self.left,
            "right": self.right,
            "distance_sq_l2": self.distance,
            "threshold_sq_l2": self.threshold,
        }

    def tile(self, crops: Crops) -> Tile:
        """As a sheet shows it. crops: (2, h, w, 3)."""
        names = f"{_name(self.left)}\n{_name(self.right)}"
        return Tile(sheet.beside(crops), f"distance {self.distance:.3f}, threshold {self.threshold:.3f}\n{names}")


def _name(image: str) -> str:
    """As a reader has it: `Bob Hope 4`."""
    name, number = Path(image).stem.rsplit("_", 1)
    return f"{name.replace('_', ' ')} {int(number)}"


@dataclass(frozen=True, slots=True, eq=False)
class WrongPairs:
    """Of `pairs` pairs, the worst first: two people taken for one, and one person taken for two.

    crops: (2 n, h, w, 3) uint8, left and right of each, the false accepts before the false rejects.
    """

    pairs: int
    false_accepts: tuple[WrongPair, ...]
    false_rejects: tuple[WrongPair, ...]
    crops: Crops

    def rows(self) -> list[Row]:
        """What the table shows; the first names the columns."""
        return [
            (f"of {self.pairs} pairs", "decided wrongly"),
            ("false accepts (two people taken for one)", f"{len(self.false_accepts)}"),
            ("false rejects (one person taken for two)", f"{len(self.false_rejects)}"),
        ]

    def figures(self) -> dict[str, object]:
        """Every wrong pair."""
        return {
            "pairs": self.pairs,
            "false_accepts": [one.told() for one in self.false_accepts],
            "false_rejects": [one.told() for one in self.false_rejects],
        }

    def draw(self) -> Figure:
        """Both kinds, each under its title."""
        both = iter(self.crops.reshape(-1, 2, *self.crops.shape[1:]))
        sections = (
            self._section("False accepts: two people taken for one", self.false_accepts, both),
            self._section("False rejects: one person taken for two", self.false_rejects, both),
        )
        height, width = self.crops.shape[1:3]
        return sheet.draw(sections, COLUMNS, (height, 2 * width))

    def _section(self, title: str, wrong: tuple[WrongPair, ...], crops: Iterator[Crops]) -> Section:
        tiles = tuple(one.tile(next(crops)) for one in wrong)
        return Section(f"{title}: {len(wrong)} of {self.pairs} pairs", tiles)


def evaluate(options: PipelineOptions, images: Path, pairs: Pairs, done: Callable[[], object]) -> WrongPairs:
    """Embeds every photograph of the list once, and cuts those of the wrong pairs. `done` is called after each.

    Raises DatasetError as `lfw.evaluate` does.
    """
    report = lfw.evaluate(options, images, pairs, done)
    accepts, rejects = wrong(report)
    files = [images / name for one in (*accepts, *rejects) for name in (one.left, one.right)]
    return WrongPairs(pairs.same.size, accepts, rejects, sheet.look(options, files))


def wrong(report: lfw.Report) -> tuple[tuple[WrongPair, ...], tuple[WrongPair, ...]]:
    """False accepts and false rejects of the folds, the worst first."""
    pairs = report.pairs
    thresholds = report.cross_validation.thresholds[np.unique(pairs.folds, return_inverse=True)[1]]
    accepted = report.distances < thresholds

    def told(rows: NDArray[np.bool_]) -> tuple[WrongPair, ...]:
        found = [
            WrongPair(
                left=pairs.images[pairs.left[row]].as_posix(),
                right=pairs.images[pairs.right[row]].as_posix(),
                distance=float(report.distances[row]),
                threshold=float(thresholds[row]),
            )
            for row in np.flatnonzero(rows)
        ]
        return tuple(sorted(found, key=lambda one: -one.margin))

    return told(accepted & ~pairs.same), told(~accepted & pairs.same)
