"""k-means (Lloyd, 1982), started by k-means++, for a known number of people."""

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans as SklearnKMeans

from service.clusterers.base import (
    NOISE,
    ClusteringLimits,
    Clusters,
    Photographs,
    check_n_clusters,
    missing_option,
    refuse_option,
    renumber,
)
from service.domain.distances import squared_l2
from service.domain.embedding import Embeddings

SEED = 0


class KMeans:
    """Needs the number of clusters. The result can have fewer clusters, because a centre can be left without a face."""

    def __init__(self, limits: ClusteringLimits) -> None:
        refuse_option(limits.threshold_sq_l2, "threshold", "kmeans")
        if limits.n_clusters is None:
            raise missing_option("n_clusters=2", "kmeans")
        self._n_clusters = limits.n_clusters

    def cluster(self, embeddings: Embeddings, photographs: Photographs) -> Clusters:
        """Give every face to its nearest centre. Faces of one photograph go to different centres.

        They are assigned so that the sum of their squared distances is least.
        """
        check_n_clusters(self._n_clusters, photographs)
        distances = squared_l2(embeddings, self._centres(embeddings))
        labels = np.full(len(embeddings), NOISE)
        for photograph in np.unique(photographs):
            faces = np.flatnonzero(photographs == photograph)
            rows, columns = linear_sum_assignment(distances[faces])
            labels[faces[rows]] = columns
        return Clusters(renumber(labels), None)

    def _centres(self, embeddings: Embeddings) -> Embeddings:
        """Return the centres, (k, d), k at most `n_clusters`.

        The embeddings are sorted, so their order does not matter.
        """
        distinct, counts = np.unique(embeddings, axis=0, return_counts=True)
        means = SklearnKMeans(min(self._n_clusters, len(distinct)), random_state=SEED)
        means.fit(distinct, sample_weight=counts)
        return np.asarray(means.cluster_centers_, np.float32)
