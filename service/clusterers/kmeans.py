"""k-means (Lloyd, 1982) with the start of k-means++: for a known number of people."""

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans as SklearnKMeans

from service.clusterers.base import NOISE, Grouping, Labels, Photographs, check_number, needed, numbered, unused
from service.distances import squared_l2
from service.domain import Embeddings

SEED = 0


class KMeans:
    """By the number of clusters, and into no more than that: a centre may be left without a face in the end."""

    def __init__(self, grouping: Grouping) -> None:
        unused(grouping.threshold_sq_l2, "threshold", "kmeans")
        self._n_clusters = needed(grouping.n_clusters, "n_clusters", "kmeans")

    def cluster(self, embeddings: Embeddings, photographs: Photographs) -> Labels:
        """Every face goes to its nearest centre; the faces of one photograph go to different ones.

        They are dealt out so that the sum of their squared distances is least.
        """
        check_number(self._n_clusters, photographs)
        distances = squared_l2(embeddings, self._centres(embeddings))
        labels = np.full(len(embeddings), NOISE)
        for photograph in np.unique(photographs):
            faces = np.flatnonzero(photographs == photograph)
            rows, columns = linear_sum_assignment(distances[faces])
            labels[faces[rows]] = columns
        return numbered(labels)

    def _centres(self, embeddings: Embeddings) -> Embeddings:
        """(k, d), k at most `n_clusters`. From the sorted embeddings, so that their order does not matter."""
        distinct, counts = np.unique(embeddings, axis=0, return_counts=True)
        means = SklearnKMeans(min(self._n_clusters, len(distinct)), random_state=SEED)
        means.fit(distinct, sample_weight=counts)
        return np.asarray(means.cluster_centers_, np.float32)
