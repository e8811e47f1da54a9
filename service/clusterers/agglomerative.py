"""Agglomerative clustering with average linkage. FaceNet uses it (section 5.8), and it is the default here.

Each face starts as a cluster. The two nearest clusters are joined, again and again, until they are too far apart. The
distance of two clusters is the mean squared L2 distance over all pairs of their faces.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist

from service.clusterers.base import ClusteringLimits, Labels, Photographs, check_n_clusters, renumber
from service.domain.distances import MAX_SQ_L2
from service.domain.embedding import Embeddings
from service.domain.errors import InvalidOption

NEVER_JOINED_SQ_L2 = 2 * MAX_SQ_L2
"""Two clusters with a larger distance hold faces of the same photograph."""


class Agglomerative:
    """Needs a threshold or the number of clusters.

    Takes 16 bytes of memory for each pair of faces: 200 MB for 5,000 faces. SciPy's `linkage` holds the GIL, for a
    third of a second or more at 5,000 faces. So `decisions/cluster.py` runs it in another process.
    """

    def __init__(self, limits: ClusteringLimits) -> None:
        if (limits.threshold_sq_l2 is None) == (limits.n_clusters is None):
            raise InvalidOption(
                "The method agglomerative takes either a threshold, which is a squared L2 distance in [0, 4], "
                "or n_clusters. Pass one of them."
            )
        self._threshold_sq_l2 = NEVER_JOINED_SQ_L2 if limits.threshold_sq_l2 is None else limits.threshold_sq_l2
        self._n_clusters = limits.n_clusters

    def cluster(self, embeddings: Embeddings, photographs: Photographs) -> Labels:
        """Join clusters while their distance is below the threshold, or until `n_clusters` are left."""
        if self._n_clusters is not None:
            check_n_clusters(self._n_clusters, photographs)
        if len(embeddings) < 2:
            return np.zeros(len(embeddings), np.int64)
        tree = linkage(_distances(embeddings, photographs), "average")
        joins = self._joins(tree[:, 2])
        return renumber(fcluster(tree, joins - 1, "monocrit", monocrit=np.arange(len(tree), dtype=np.float64)))

    def _joins(self, heights: NDArray[np.float64]) -> int:
        """Return how many joins are made. heights: (n - 1,), the distance at each join, ascending."""
        allowed = int(np.searchsorted(heights, min(self._threshold_sq_l2, NEVER_JOINED_SQ_L2)))
        if self._n_clusters is None:
            return allowed
        fewest = len(heights) + 1 - allowed
        if self._n_clusters < fewest:
            raise InvalidOption(
                f"Faces of one photograph are kept apart. So there are at least {fewest} clusters, and "
                f"{self._n_clusters} were asked for. Ask for more, or pass one_person_once=false."
            )
        return len(heights) + 1 - self._n_clusters


def _distances(embeddings: Embeddings, photographs: Photographs) -> NDArray[np.float64]:
    """Return the squared L2 distance of every pair, n (n - 1) / 2 in SciPy's order.

    The distance of two faces of one photograph is set to 4 n^2. Two clusters have at most n^2 / 4 pairs. So the mean
    over pairs that include such a pair is at least 16, and these clusters are never joined. Other means do not change.
    """
    distances: NDArray[np.float64] = pdist(embeddings, "sqeuclidean")
    start, n = 0, len(embeddings)
    for first in range(n - 1):
        row = distances[start : start + n - 1 - first]
        row[photographs[first + 1 :] == photographs[first]] = MAX_SQ_L2 * n * n
        start += len(row)
    return distances
