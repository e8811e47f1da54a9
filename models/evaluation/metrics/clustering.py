"""The agreement of clusters of faces with the people on the photographs, counted in pairs of faces."""

import numpy as np
from numpy.typing import NDArray

from service.clusterers.base import NOISE, Labels

People = NDArray[np.int64]
"""(n,) int64: the number of the person that each face or photograph shows."""


def pairwise_f(labels: Labels, people: People) -> float:
    """Return the harmonic mean of pairwise precision and recall, `2 TP / (2 TP + FP + FN)`.

    TP: the number of pairs of one person in one cluster.
    FP: the number of pairs of two people in one cluster.
    FN: the number of pairs of one person in two clusters.

    labels: (n,) int64, from a clusterer. Each face with the label -1 (noise) counts as a separate cluster.
    people: (n,) int64.
    Returns 1.0 if no person has two faces and no cluster has two faces.
    """
    clustered = labels != NOISE
    true_positives = count_equal_pairs(np.stack([labels, people])[:, clustered], axis=1)
    in_one_cluster, of_one_person = count_equal_pairs(labels[clustered]), count_equal_pairs(people)
    # 2 TP + FP + FN = (TP + FP) + (TP + FN)
    total = in_one_cluster + of_one_person
    return 2 * true_positives / total if total else 1.0


def count_equal_pairs(values: NDArray[np.int64], axis: int = 0) -> int:
    """Return how many pairs of two values are equal.

    values: (n,) int64, or a matrix whose slices along `axis` are the values.
    """
    _, counts = np.unique(values, axis=axis, return_counts=True)
    return int(np.sum(counts * (counts - 1) // 2))
