"""The agreement of clusters of faces with the people on the photographs. Each noise face counts as a cluster."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.clusterers.base import NOISE, Labels

People = NDArray[np.int64]
"""(n,) int64: the number of the person that each face or photograph shows."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Precision falls if a cluster holds several people. Recall falls if a person is in several clusters."""

    precision: float
    recall: float

    @property
    def f(self) -> float:
        """The harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def pairwise(labels: Labels, people: People) -> Agreement:
    """Count pairs of faces. Large clusters and people have a large weight.

    Precision: the share of the pairs in one cluster that show one person. 1 if no cluster has two faces.
    Recall: the share of the pairs of one person that are in one cluster. 1 if no person has two faces.
    """
    clusters = number_noise(labels)
    both = count_equal_pairs(np.stack([clusters, people]), axis=1)
    in_one_cluster, of_one_person = count_equal_pairs(clusters), count_equal_pairs(people)
    return Agreement(
        both / in_one_cluster if in_one_cluster else 1.0,
        both / of_one_person if of_one_person else 1.0,
    )


def bcubed(labels: Labels, people: People) -> Agreement:
    """Return BCubed precision and recall (Bagga and Baldwin, 1998; Amigo and others, 2009). Each face has one vote.

    Precision: the mean over all faces of the share of the face's cluster that shows its person.
    Recall: the mean over all faces of the share of the person's faces that is in the face's cluster.
    Both are 1 without faces.
    """
    if not len(labels):
        return Agreement(1.0, 1.0)
    clusters = number_noise(labels)
    _, cell, cell_sizes = np.unique(np.stack([clusters, people]), axis=1, return_inverse=True, return_counts=True)
    together = cell_sizes[cell.ravel()]
    return Agreement(
        float(np.mean(together / _sizes_of_groups(clusters))), float(np.mean(together / _sizes_of_groups(people)))
    )


def mixed_share(labels: Labels, people: People) -> float:
    """Return the share of the clusters that hold faces of several people. A face alone is a cluster too."""
    clusters = number_noise(labels)
    pairs = np.unique(np.stack([clusters, people]), axis=1)
    _, people_of_cluster = np.unique(pairs[0], return_counts=True)
    return float(np.mean(people_of_cluster > 1)) if len(labels) else 0.0


def number_noise(labels: Labels) -> Labels:
    """Return labels in which each noise face has a number of its own, after those of the clusters."""
    numbered, noise = labels.copy(), labels == NOISE
    numbered[noise] = labels.max(initial=NOISE) + 1 + np.arange(np.count_nonzero(noise))
    return numbered


def count_equal_pairs(values: NDArray[np.int64], axis: int = 0) -> int:
    """Return how many pairs of two values are equal.

    values: (n,) int64, or a matrix whose slices along `axis` are the values.
    """
    _, counts = np.unique(values, axis=axis, return_counts=True)
    return int(np.sum(counts * (counts - 1) // 2))


def _sizes_of_groups(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each value how often it occurs."""
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray(sizes[group.ravel()], np.int64)
