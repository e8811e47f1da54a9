"""What looks wrong in a set, by an existing model's embeddings: near duplicates and wrong labels.

The thresholds are squared L2 distances of `sface`, chosen by looking at pictures of a set of 34,448 faces of 1,073
people from eight sources. Another embedder's are of the same order, but nobody looked at those.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.distances import paired_squared_l2, squared_l2, unit
from service.domain import Embeddings

NEAR_DUPLICATE_SQ_L2 = 0.15
"""Below it, pairs are one photograph, cropped, scaled or coloured anew (2 % of the faces); from 0.2 on, more and more
are two of a series."""

FAR_SQ_L2 = 1.242
"""From the mean of its own person's other faces: further than two photographs of one person are taken to be
(FaceNet, section 5.6)."""

MARGIN_SQ_L2 = 0.3
"""By how much another person is nearer. From 0.5 on nearly all show somebody else; from 0.3 on most do, or are too
blurred or covered to tell (0.7 % of the faces in all); below, as many are right and merely hard, such as profiles."""

People = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pair:
    """Row `row` of a shard shows what row `original`, which comes before it, shows already."""

    row: int
    original: int
    sq_l2: float


@dataclass(frozen=True, slots=True)
class Suspect:
    """Row `row` of a shard is nearer to the mean of person `nearer_to` than to that of its own person's other faces."""

    row: int
    nearer_to: int
    own_sq_l2: float
    other_sq_l2: float


def near_duplicates(embeddings: Embeddings, people: People) -> Iterator[Pair]:
    """Of each group of faces of a person that are nearly the same, all but the first.

    embeddings: (n, d). people: (n,), whose faces stand together. A face is compared with those before it that are no
    near duplicates themselves, so a chain of small steps does not become one group.
    """
    starts = np.flatnonzero(np.diff(people, prepend=-1))
    for start, end in zip(starts, [*starts[1:], len(people)], strict=True):
        for pair in _of_one_person(embeddings[start:end]):
            yield Pair(int(start) + pair.row, int(start) + pair.original, pair.sq_l2)


def _of_one_person(embeddings: Embeddings) -> Iterator[Pair]:
    distances = squared_l2(embeddings, embeddings)
    for row in range(1, len(embeddings)):
        original = int(distances[row, :row].argmin())
        if distances[row, original] < NEAR_DUPLICATE_SQ_L2:
            distances[:, row] = np.inf  # nothing is compared with this one any more
            yield Pair(row, original, float(distances[row, original]))


class Means:
    """Each person's mean embedding, added up shard by shard, so that a large set needs no more memory."""

    def __init__(self, people: int, dimension: int) -> None:
        self._sums = np.zeros((people, dimension), np.float32)
        self._counts = np.zeros(people, np.int64)

    def add(self, embeddings: Embeddings, people: People) -> None:
        """embeddings: (n, d). people: (n,), whose they are."""
        np.add.at(self._sums, people, embeddings)
        np.add.at(self._counts, people, 1)

    def suspects(self, embeddings: Embeddings, people: People) -> Iterator[Suspect]:
        """Faces, added before, that are far from their own person and clearly nearer to another.

        A face is left out of its own person's mean, or one wrong face of three would hide itself. A person's only face
        has nothing to be far from.
        """
        rows = np.flatnonzero(self._counts[people] > 1)
        embeddings, people = embeddings[rows], people[rows]
        own = paired_squared_l2(embeddings, unit(self._sums[people] - embeddings))
        others = squared_l2(embeddings, unit(self._sums))
        others[np.arange(len(rows)), people] = np.inf
        other = others.min(axis=1, initial=np.inf)
        for i in np.flatnonzero((own > FAR_SQ_L2) & (own - other > MARGIN_SQ_L2)):
            yield Suspect(int(rows[i]), int(others[i].argmin()), float(own[i]), float(other[i]))
