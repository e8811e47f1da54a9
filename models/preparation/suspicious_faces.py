"""Find near duplicates and wrong labels in a face set by the embeddings of an existing model.

The thresholds are squared L2 distances of `sface`. They were chosen by looking at the flagged faces in a set of 34,448
faces of 1,073 people from eight sources. The distances of other embedders have a similar size, but were not checked in
this way.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.domain.distances import FACENET_THRESHOLD_SQ_L2, paired_squared_l2, squared_l2, unit
from service.domain.embedding import Embeddings

NEAR_DUPLICATE_SQ_L2 = 0.15
"""Two faces of a person are near duplicates below this distance: one photograph in two crops, scales or colours.

In that set, 2 % of the faces are near duplicates. Above 0.2, many pairs are two photographs of a series.
"""

FAR_SQ_L2 = FACENET_THRESHOLD_SQ_L2
"""A face may have a wrong label if it is further than this from the mean of the other faces of its person.

This is FaceNet's threshold for two photographs of one person (section 5.6).
"""

MARGIN_SQ_L2 = 0.3
"""A face may have a wrong label if another person is nearer by more than this.

Above 0.3, most faces show another person, or they are too blurred or covered to decide. They are 0.7 % of all faces.
Above 0.5, nearly all show another person. Below 0.3, half of the labels are right: these faces are only difficult, such
as profiles.
"""

People = NDArray[np.int64]
"""(n,): the number of the person of each face."""


@dataclass(frozen=True, slots=True)
class DuplicateRow:
    """Row `row` of a shard is nearly the same as the earlier row `original`. sq_l2: their distance."""

    row: int
    original: int
    sq_l2: float


@dataclass(frozen=True, slots=True)
class MislabelledRow:
    """Row `row` of a shard is nearer to the mean of person `nearer_to` than to its own person.

    own_sq_l2: the distance to the mean of the other faces of its own person.
    other_sq_l2: the distance to the mean of `nearer_to`.
    """

    row: int
    nearer_to: int
    own_sq_l2: float
    other_sq_l2: float


def find_near_duplicates(embeddings: Embeddings, people: People) -> Iterator[DuplicateRow]:
    """Find groups of nearly equal faces of a person. Yields all faces of a group except the first.

    A face is compared only with earlier faces that are not near duplicates themselves. So a chain of small changes does
    not become one group.

    embeddings: (n, d) float32.
    people: (n,) int64. The faces of a person are next to each other.
    """
    starts = np.flatnonzero(np.diff(people, prepend=-1))
    for start, end in zip(starts, [*starts[1:], len(people)], strict=True):
        for duplicate in _find_in_one_person(embeddings[start:end]):
            yield DuplicateRow(int(start) + duplicate.row, int(start) + duplicate.original, duplicate.sq_l2)


def _find_in_one_person(embeddings: Embeddings) -> Iterator[DuplicateRow]:
    distances = squared_l2(embeddings, embeddings)
    for row in range(1, len(embeddings)):
        original = int(distances[row, :row].argmin())
        if distances[row, original] < NEAR_DUPLICATE_SQ_L2:
            distances[:, row] = np.inf  # later faces are not compared with a near duplicate
            yield DuplicateRow(row, original, float(distances[row, original]))


class PersonMeans:
    """The mean embedding of each person. Shards are added one after the other, so only one is in memory.

    people: how many people there are.
    dimension: of the embeddings.
    """

    def __init__(self, people: int, dimension: int) -> None:
        self._sums = np.zeros((people, dimension), np.float32)
        self._counts = np.zeros(people, np.int64)

    def add(self, embeddings: Embeddings, people: People) -> None:
        """Add faces. embeddings: (n, d) float32. people: (n,) int64."""
        np.add.at(self._sums, people, embeddings)
        np.add.at(self._counts, people, 1)

    def find_mislabelled(self, embeddings: Embeddings, people: People) -> Iterator[MislabelledRow]:
        """Find faces that are far from their own person and clearly nearer to another person.

        The faces must have been added before. The mean of a face's own person leaves out the face itself. Otherwise one
        wrong face of three would move the mean towards itself. If a person has only one face, it has no mean to compare
        with, and it is never found.

        embeddings: (n, d) float32.
        people: (n,) int64.
        """
        rows = np.flatnonzero(self._counts[people] > 1)
        embeddings, people = embeddings[rows], people[rows]
        to_own = paired_squared_l2(embeddings, unit(self._sums[people] - embeddings))
        to_others = squared_l2(embeddings, unit(self._sums))
        to_others[np.arange(len(rows)), people] = np.inf
        to_nearest = to_others.min(axis=1, initial=np.inf)
        for i in np.flatnonzero((to_own > FAR_SQ_L2) & (to_own - to_nearest > MARGIN_SQ_L2)):
            yield MislabelledRow(int(rows[i]), int(to_others[i].argmin()), float(to_own[i]), float(to_nearest[i]))
