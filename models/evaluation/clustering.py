"""How well a grouping of faces agrees with who they are, counted in pairs of faces.

labels      (n,) int64    a clusterer's answer; -1 is noise, and each such face is a cluster of its own
people      (n,) int64    who it is
"""

import numpy as np
from numpy.typing import NDArray

from service.clusterers.base import NOISE, Labels

People = NDArray[np.int64]


def pairwise_f(labels: Labels, people: People) -> float:
    """The harmonic mean of pairwise precision and recall: `2 TP / (2 TP + FP + FN)`.

    Of all pairs of faces TP are together and of one person, FP are together and of two people, FN are of one person
    and apart. 1.0 where nobody is shown twice and nobody is together.
    """
    together = labels != NOISE
    both = np.stack([labels, people])[:, together]
    true = pairs_alike(both, axis=1)
    grouped, of_one_person = pairs_alike(labels[together]), pairs_alike(people)
    return 2 * true / (grouped + of_one_person) if grouped + of_one_person else 1.0


def pairs_alike(kinds: NDArray[np.int64], axis: int = 0) -> int:
    """How many pairs are of one kind. kinds: (n,) int64, or rows or columns of them along `axis`."""
    _, counts = np.unique(kinds, axis=axis, return_counts=True)
    return int(np.sum(counts * (counts - 1) // 2))
