"""Agglomerative clustering with average linkage. FaceNet uses it (section 5.8), and it is the default here.

Each face starts as a cluster. The two nearest clusters are joined, again and again, until they are too far apart. The
distance of two clusters is the mean squared L2 distance over all pairs of their faces.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist

from service.clusterers.base import (
    ClusteringLimits,
    Clusters,
    Photographs,
    check_n_clusters,
    renumber,
    thresholds_at,
)
from service.domain.distances import MAX_SQ_L2
from service.domain.embedding import Embeddings
from service.domain.errors import InvalidOption

NEVER_JOINED_SQ_L2 = 2 * MAX_SQ_L2
"""Two clusters with a larger distance hold faces of the same photograph."""


class Agglomerative:
    """Needs a threshold or the number of clusters.

    The default threshold depends on how many clusters are left: with fewer clusters, fewer pairs of them are near each
    other by chance. So a join is made if its distance is below the threshold for the number of clusters before it.

    Takes 16 bytes of memory for each pair of faces: 200 MB for 5,000 faces. SciPy's `linkage` holds the GIL, for a
    third of a second or more at 5,000 faces. So `decisions/cluster.py` runs it in another process.
    """

    def __init__(self, limits: ClusteringLimits) -> None:
        threshold = limits.chosen_threshold
        if (threshold is None) == (limits.n_clusters is None):
            raise InvalidOption(
                "The method agglomerative takes either a threshold, which is a squared L2 distance in [0, 4], "
                "or n_clusters. Pass one of them."
            )
        self._threshold = threshold
        self._n_clusters = limits.n_clusters

    def cluster(self, embeddings: Embeddings, photographs: Photographs) -> Clusters:
        """Join clusters while their distance is below the threshold, or until `n_clusters` are left."""
        if self._n_clusters is not None:
            check_n_clusters(self._n_clusters, photographs)
        if len(embeddings) < 2:
            return Clusters(np.zeros(len(embeddings), np.int64), self._threshold_at(len(embeddings)))
        tree = linkage(_distances(embeddings, photographs), "average")
        joins = self._joins(tree[:, 2])
        labels = fcluster(tree, joins - 1, "monocrit", monocrit=np.arange(len(tree), dtype=np.float64))
        return Clusters(renumber(labels), self._threshold_at(len(embeddings) - joins))

    def _threshold_at(self, clusters: int) -> float | None:
        """Return the threshold for the clusters that are left.

        It also gives the same clusters: it is not below the threshold of any join that was made, and the next join has
        at least this distance.
        """
        return None if self._threshold is None else float(thresholds_at(self._threshold, np.array(max(clusters, 1))))

    def _joins(self, heights: NDArray[np.float64]) -> int:
        """Return how many joins are made. heights: (n - 1,), the distance at each join, ascending."""
        limits = np.full(len(heights), NEVER_JOINED_SQ_L2)
        if self._threshold is not None:
            limits = np.minimum(limits, thresholds_at(self._threshold, len(heights) + 1 - np.arange(len(heights))))
        allowed = int(np.argmax(np.append(heights >= limits, True)))
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
