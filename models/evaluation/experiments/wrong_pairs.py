"""Every pair of LFW that is decided incorrectly, as a picture (FaceNet, Figure 6).

Each pair is decided at the threshold of its fold, which is chosen on the other nine folds. The accuracy in `lfw.py` is
computed with the same thresholds.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.evaluation.data.pairs import PairList
from models.evaluation.experiments.lfw import LfwReport, evaluate_lfw
from models.evaluation.reports.contact_sheet import Section, Tile, cut_tiles, draw_sheet, join_crops
from models.evaluation.reports.report import Row
from service.domain.face import Crops
from service.pipeline.opening import PipelineOptions

COLUMNS = 6


@dataclass(frozen=True, slots=True)
class WrongPair:
    """A pair that is decided incorrectly.

    left, right: the two photographs.
    distance: squared L2.
    threshold: the threshold of the fold, squared L2. The distance is on the wrong side of it.
    """

    left: str
    right: str
    distance: float
    threshold: float

    @property
    def margin(self) -> float:
        """How far the distance is on the wrong side of the threshold."""
        return abs(self.distance - self.threshold)

    def to_json(self) -> dict[str, object]:
        """Return the pair as the JSON file holds it."""
        return {
            "left": self.left,
            "right": self.right,
            "distance_sq_l2": self.distance,
            "threshold_sq_l2": self.threshold,
        }

    def to_tile(self, crops: Crops) -> Tile:
        """Return the tile for the contact sheet. crops: (2, h, w, 3), left and right."""
        names = f"{_readable_name(self.left)}\n{_readable_name(self.right)}"
        return Tile(join_crops(crops), f"distance {self.distance:.3f}, threshold {self.threshold:.3f}\n{names}")


def _readable_name(image: str) -> str:
    """Return a caption such as `Bob Hope 4` for Bob_Hope/Bob_Hope_0004.jpg."""
    name, number = Path(image).stem.rsplit("_", 1)
    return f"{name.replace('_', ' ')} {int(number)}"


@dataclass(frozen=True, slots=True, eq=False)
class WrongPairs:
    """The wrong pairs, in descending order of their margins.

    pairs: how many pairs were decided.
    false_matches: pairs of two people that are accepted.
    false_non_matches: pairs of one person that are rejected.
    crops: (2 * n, h, w, 3) uint8. The false matches come first, then the false non-matches. Each pair is
    left, then right.
    """

    pairs: int
    false_matches: tuple[WrongPair, ...]
    false_non_matches: tuple[WrongPair, ...]
    crops: Crops

    def rows(self) -> list[Row]:
        """Return the rows of the table. The first row is the header."""
        return [
            (f"of {self.pairs} pairs", "decided wrongly"),
            ("false matches (two people taken for one)", f"{len(self.false_matches)}"),
            ("false non-matches (one person taken for two)", f"{len(self.false_non_matches)}"),
        ]

    def numbers(self) -> dict[str, object]:
        """Return every wrong pair, and how many pairs were decided."""
        return {
            "pairs": self.pairs,
            "false_matches": [pair.to_json() for pair in self.false_matches],
            "false_non_matches": [pair.to_json() for pair in self.false_non_matches],
        }

    def draw(self) -> Figure:
        """Draw a section of false matches and a section of false non-matches."""
        crops_of_pairs = iter(self.crops.reshape(-1, 2, *self.crops.shape[1:]))
        sections = (
            self._section("False matches: two people taken for one", self.false_matches, crops_of_pairs),
            self._section("False non-matches: one person taken for two", self.false_non_matches, crops_of_pairs),
        )
        height, width = self.crops.shape[1:3]
        return draw_sheet(sections, COLUMNS, (height, 2 * width))

    def _section(self, title: str, wrong_pairs: tuple[WrongPair, ...], crops: Iterator[Crops]) -> Section:
        tiles = tuple(pair.to_tile(next(crops)) for pair in wrong_pairs)
        return Section(f"{title}: {len(wrong_pairs)} of {self.pairs} pairs", tiles)


def evaluate_wrong_pairs(
    options: PipelineOptions, images: Path, pair_list: PairList, done: Callable[[], object]
) -> WrongPairs:
    """Embed every photograph of the list once, and cut out the faces of the wrong pairs.

    images, done: as for `lfw.evaluate_lfw`.
    Raises DatasetError as `lfw.evaluate_lfw` does.
    """
    accepts, rejects = find_wrong_pairs(evaluate_lfw(options, images, pair_list, done))
    files = [images / name for pair in (*accepts, *rejects) for name in (pair.left, pair.right)]
    return WrongPairs(pair_list.same.size, accepts, rejects, cut_tiles(options, files))


def find_wrong_pairs(report: LfwReport) -> tuple[tuple[WrongPair, ...], tuple[WrongPair, ...]]:
    """Return the false matches and the false non-matches of all folds, each in descending order of their margins."""
    pair_list, pairs = report.pair_list, report.pairs
    _, fold_rows = np.unique(pair_list.folds, return_inverse=True)
    thresholds = report.cross_validation.thresholds[fold_rows]
    accepted = pairs.distances < thresholds

    def list_pairs(mask: NDArray[np.bool_]) -> tuple[WrongPair, ...]:
        wrong_pairs = [
            WrongPair(
                left=pair_list.images[pair_list.left[row]].as_posix(),
                right=pair_list.images[pair_list.right[row]].as_posix(),
                distance=float(pairs.distances[row]),
                threshold=float(thresholds[row]),
            )
            for row in np.flatnonzero(mask)
        ]
        return tuple(sorted(wrong_pairs, key=lambda pair: -pair.margin))

    return list_pairs(accepted & ~pairs.same), list_pairs(~accepted & pairs.same)
