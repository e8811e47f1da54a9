"""Lists of pairs in the format of Labelled Faces in the Wild.

The first line is `FOLDS <tab> N`, or `N` for a list of one fold. Each fold is N lines `NAME <tab> I <tab> J`, two
photographs of one person, and then N lines `NAME <tab> I <tab> OTHER <tab> J`, photographs of two people.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.errors import DatasetError
from models.evaluation.metrics import Folds, Same


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """images: every photograph once, as a path within the data set. left, right: (n,) int64 rows of `images`."""

    images: tuple[Path, ...]
    left: Folds
    right: Folds
    same: Same
    folds: Folds


Ends = tuple[Path, Path]
"""The two photographs of a pair."""


def read_pairs(*paths: Path) -> Pairs:
    """The folds of all the lists: LFW's View 1 is two of a fold each. Raises DatasetError as `_read_list` does."""
    lists = [_read_list(path) for path in paths]
    ends = [pair for pairs, _ in lists for pair in pairs]
    folds = [pairs_of_fold for _, folds in lists for pairs_of_fold in folds]
    images = sorted({image for pair in ends for image in pair})
    row = {image: number for number, image in enumerate(images)}
    return Pairs(
        images=tuple(images),
        left=np.array([row[left] for left, _ in ends], np.int64),
        right=np.array([row[right] for _, right in ends], np.int64),
        same=np.array([left.parent == right.parent for left, right in ends]),
        folds=np.repeat(np.arange(len(folds)), folds),
    )


def _read_list(path: Path) -> tuple[list[Ends], list[int]]:
    """Its pairs, and how many are in each fold. Raises DatasetError where it is missing or of another format."""
    try:
        header, *lines = (line.split("\t") for line in path.read_text("utf-8").splitlines())
        fold_count, size = (1, int(header[0])) if len(header) == 1 else (int(header[0]), int(header[1]))
        ends = [_ends(fields) for fields in lines]
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} is not a list of pairs as LFW has them ({error}).") from None
    if len(lines) != 2 * fold_count * size:
        raise DatasetError(f"{path} promises {2 * fold_count * size} pairs and holds {len(lines)}.")
    return ends, [2 * size] * fold_count


def _ends(fields: list[str]) -> Ends:
    if len(fields) == 3:
        name, first, second = fields
        return _image(name, first), _image(name, second)
    name, first, other, second = fields
    return _image(name, first), _image(other, second)


def _image(name: str, number: str) -> Path:
    return Path(name) / f"{name}_{int(number):04d}.jpg"
