"""Lists of pairs in the format of Labelled Faces in the Wild.

The first line is `FOLDS <tab> N`, or `N` for a list of one fold. Each fold is N lines `NAME <tab> I <tab> J`, two
photographs of one person, and then N lines `NAME <tab> I <tab> OTHER <tab> J`, photographs of two people.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeAlias

import numpy as np

from models.errors import DatasetError
from models.evaluation.metrics import Folds, Same

Ends: TypeAlias = tuple[Path, Path]
"""The two photographs of a pair."""


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """images: every photograph once, as a path within the data set. left, right: (n,) int64 rows of `images`."""

    images: tuple[Path, ...]
    left: Folds
    right: Folds
    same: Same
    folds: Folds

    @classmethod
    def of(cls, ends: Sequence[Ends], same: Same, folds: Folds) -> Self:
        """ends: the two of each pair; same, folds: (n,), pair by pair."""
        images = sorted({image for pair in ends for image in pair})
        row = {image: number for number, image in enumerate(images)}
        left, right = np.array([[row[left], row[right]] for left, right in ends], np.int64).reshape(-1, 2).T
        return cls(tuple(images), left, right, same, folds)


def read_pairs(*paths: Path) -> Pairs:
    """The folds of all the lists: LFW's View 1 is two of a fold each. Raises DatasetError as `_read_list` does."""
    lists = [_read_list(path) for path in paths]
    pairs = [pair for pairs, _ in lists for pair in pairs]
    folds = [size for _, sizes in lists for size in sizes]
    return Pairs.of(
        ends=[ends for ends, _ in pairs],
        same=np.array([same for _, same in pairs], bool),
        folds=np.repeat(np.arange(len(folds)), folds),
    )


def _read_list(path: Path) -> tuple[list[tuple[Ends, bool]], list[int]]:
    """Its pairs, each with whether it is of one person, and how many are in each fold.

    Raises DatasetError where the list cannot be read or is of another format.
    """
    try:
        header, *lines = (line.split("\t") for line in path.read_text("utf-8").splitlines())
        fold_count, size = (1, int(header[0])) if len(header) == 1 else (int(header[0]), int(header[1]))
        pairs = [(_ends(fields), len(fields) == 3) for fields in lines]
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror}). Give a list of pairs as LFW has them.") from None
    except ValueError:
        raise DatasetError(
            f"{path} is not a list of pairs as LFW has them. Its first line is FOLDS <tab> N, or N; each other is "
            "NAME <tab> I <tab> J, or NAME <tab> I <tab> OTHER <tab> J."
        ) from None
    if len(lines) != 2 * fold_count * size:
        raise DatasetError(
            f"{path} promises {2 * fold_count * size} pairs and holds {len(lines)}. Take the whole list, or correct "
            "its first line."
        )
    return pairs, [2 * size] * fold_count


def _ends(fields: list[str]) -> Ends:
    if len(fields) == 3:
        name, first, second = fields
        return _image(name, first), _image(name, second)
    name, first, other, second = fields
    return _image(name, first), _image(other, second)


def _image(name: str, number: str) -> Path:
    return Path(name) / f"{name}_{int(number):04d}.jpg"
