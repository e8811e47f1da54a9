"""Lists of pairs in the format of Labelled Faces in the Wild.

The first line is `FOLDS <tab> N`, or `N` for a list of one fold. Each fold is N lines `NAME <tab> I <tab> J` (two
photographs of one person), then N lines `NAME <tab> I <tab> OTHER <tab> J` (photographs of two people).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.errors import DatasetError
from models.evaluation.metrics.labelled_pairs import Folds, LabelledPairs, Same
from service.domain.distances import Distances, paired_squared_l2
from service.domain.embedding import Embeddings

Ends: TypeAlias = tuple[Path, Path]
"""The two photographs of a pair."""

ImageRows = NDArray[np.int64]
"""(n,) int64: rows of a list of photographs."""


@dataclass(frozen=True, slots=True, eq=False)
class PairList:
    """Pairs of photographs that an evaluation compares. All arrays are (n,), pair by pair.

    images: every photograph once, as a path within the data set.
    left, right: the two photographs of each pair, as rows of `images`.
    same: whether the pair is of one person.
    folds: the fold of each pair.
    """

    images: tuple[Path, ...]
    left: ImageRows
    right: ImageRows
    same: Same
    folds: Folds

    @classmethod
    def from_ends(cls, ends: Sequence[Ends], same: Same, folds: Folds) -> Self:
        """Return the list of these pairs. ends: the two photographs of each pair."""
        images = sorted({image for pair in ends for image in pair})
        row = {image: number for number, image in enumerate(images)}
        left, right = np.array([[row[left], row[right]] for left, right in ends], np.int64).reshape(-1, 2).T
        return cls(tuple(images), left, right, same, folds)

    def compare(self, embeddings: Embeddings) -> LabelledPairs:
        """Return the distance of each pair. embeddings: (m, d) float32, row by row of `images`."""
        return self.label(paired_squared_l2(embeddings[self.left], embeddings[self.right]))

    def label(self, distances: Distances) -> LabelledPairs:
        """Return these distances with the labels of the pairs. distances: (n,) float32, pair by pair."""
        return LabelledPairs(distances, self.same)


def read_pair_lists(*paths: Path) -> PairList:
    """Read lists of pairs as one list. The folds of all lists are numbered together.

    LFW's View 1 is two lists of one fold each.

    Raises DatasetError if a list cannot be read or has another format.
    """
    lists = [_read_list(path) for path in paths]
    pairs = [pair for pairs, _ in lists for pair in pairs]
    fold_sizes = [size for _, sizes in lists for size in sizes]
    return PairList.from_ends(
        ends=[ends for ends, _ in pairs],
        same=np.array([same for _, same in pairs], bool),
        folds=np.repeat(np.arange(len(fold_sizes)), fold_sizes),
    )


def _read_list(path: Path) -> tuple[list[tuple[Ends, bool]], list[int]]:
    """Return the pairs, each with whether it is of one person, and the number of pairs in each fold.

    Raises DatasetError if the list cannot be read or has another format.
    """
    try:
        header, *lines = (line.split("\t") for line in path.read_text("utf-8").splitlines())
        fold_count, size = (1, int(header[0])) if len(header) == 1 else (int(header[0]), int(header[1]))
        pairs = [(_parse_ends(fields), len(fields) == 3) for fields in lines]
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror}). Give a list of pairs as LFW has them.") from None
    except ValueError:
        raise DatasetError(
            f"{path} is not a list of pairs as LFW has them. The first line must be FOLDS <tab> N, or N. Each other "
            "line must be NAME <tab> I <tab> J, or NAME <tab> I <tab> OTHER <tab> J."
        ) from None
    if len(lines) != 2 * fold_count * size:
        raise DatasetError(
            f"The first line of {path} announces {2 * fold_count * size} pairs, and the file holds {len(lines)}. Give "
            "the whole list, or correct its first line."
        )
    return pairs, [2 * size] * fold_count


def _parse_ends(fields: list[str]) -> Ends:
    """Return the two photographs that a line names. Raises ValueError if the line has another form."""
    if len(fields) == 3:
        name, first, second = fields
        return _image_path(name, first), _image_path(name, second)
    name, first, other, second = fields
    return _image_path(name, first), _image_path(other, second)


def _image_path(name: str, number: str) -> Path:
    return Path(name) / f"{name}_{int(number):04d}.jpg"
