"""Agglomerative clustering with average linkage: FaceNet's own method (section 5.8), and the reference here.

Each face starts alone, and the two nearest clusters become one until the nearest are too far apart. How far apart two
clusters are is the mean squared L2 distance over all pairs of their faces.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist

from service.clusterers.base import Grouping, Labels, Photographs, check_number, numbered
from service.distances import MAX_SQ_L2
from service.domain import Embeddings
from service.errors import InvalidOption

FORBIDDEN = 2 * MAX_SQ_L2
"""Clusters further apart than this hold faces of one photograph."""


class Agglomerative:
    """By a threshold or by the number of clusters.

    Takes 16 bytes for each pair of faces (200 MB for 5,000). SciPy's `linkage` holds the GIL: for a third of a second
    at 5,000 faces.
    """

    def __init__(self, grouping: Grouping) -> None:
        if (grouping.threshold_sq_l2 is None) == (grouping.n_clusters is None):
            raise InvalidOption(
                "The method agglomerative takes either a threshold, which is a squared L2 distance in [0, 4], "
                "or n_clusters. Pass one of them."
            )
        self._threshold_sq_l2 = FORBIDDEN if grouping.threshold_sq_l2 is None else grouping.threshold_sq_l2
        self._n_clusters = grouping.n_clusters

    def cluster(self, embeddings: Embeddings, photographs: Photographs) -> Labels:
        """Joins while the mean distance is below the threshold, or until there are `n_clusters`."""
        if self._n_clusters is not None:
            check_number(self._n_clusters, photographs)
        if len(embeddings) < 2:
            return np.zeros(len(embeddings), np.int64)
        tree = linkage(_distances(embeddings, photographs), "average")
        joins = self._joins(tree[:, 2])
        return numbered(fcluster(tree, joins - 1, "monocrit", monocrit=np.arange(len(tree), dtype=np.float64)))

    def _joins(self, heights: NDArray[np.float64]) -> int:
        """How many of the joins are made. heights: (n - 1,), ascending, how far apart the two clusters of each are."""
        allowed = int(np.searchsorted(heights, min(self._threshold_sq_l2, FORBIDDEN)))
        if self._n_clusters is None:
            return allowed
        fewest = len(heights) + 1 - allowed
        if self._n_clusters < fewest:
            raise InvalidOption(
                f"With faces of one photograph kept apart there are at least {fewest} clusters, and {self._n_clusters} "
                "were asked for. Ask for more, or allow faces of one photograph to be together."
            )
        return len(heights) + 1 - self._n_clusters


def _distances(embeddings: Embeddings, photographs: Photographs) -> NDArray[np.float64]:
    """Squared L2 of every pair, n (n - 1) / 2 in SciPy's order; faces of one photograph are put 4 n^2 apart.

    Two clusters have at most n^2 / 4 pairs, so the mean over any that include a forbidden one is at least 16: what is
    forbidden is never joined, however near the other pairs are. All other means stay as exact as they were.
    """
    distances: NDArray[np.float64] = pdist(embeddings, "sqeuclidean")
    start, n = 0, len(embeddings)
    for first in range(n - 1):
        row = distances[start : start + n - 1 - first]
        row[photographs[first + 1 :] == photographs[first]] = MAX_SQ_L2 * n * n
        start += len(row)
    return distances
