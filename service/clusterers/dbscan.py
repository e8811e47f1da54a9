"""DBSCAN (Ester, Kriegel, Sander, Xu, 1996): a face that is near any face of a cluster joins the cluster."""

import numpy as np
from sklearn.cluster import DBSCAN

from service.clusterers.base import (
    NOISE,
    ClusteringLimits,
    Clusters,
    Labels,
    Photographs,
    missing_option,
    refuse_option,
    renumber,
    separate_photographs,
)
from service.domain.distances import plain_l2
from service.domain.embedding import Embeddings
from service.model_files.clustering import ClusteringThresholds

MIN_FACES = 2
"""Two near faces are a cluster, because many people occur only a few times in a collection of photographs."""


class Dbscan:
    """Needs a threshold. It joins chains of near faces, so its threshold is stricter than that of average linkage.

    One pair of faces is enough to join two clusters, and k clusters of n faces have about n^2 / (2 k) pairs for each
    cluster. p people with one face each have p / 2. So the default threshold is that for p = n^2 / k people. k is
    counted at the threshold for n people.
    """

    def __init__(self, limits: ClusteringLimits) -> None:
        refuse_option(limits.n_clusters, "n_clusters", "dbscan")
        threshold = limits.chosen_threshold
        if threshold is None:
            raise missing_option("threshold=0.9", "dbscan")
        self._threshold = threshold

    def cluster(self, embeddings: Embeddings, photographs: Photographs) -> Clusters:
        """Cluster the faces. A face that has no other within the threshold is noise."""
        threshold_sq_l2 = self._choose_threshold(embeddings)
        labels = _label(embeddings, threshold_sq_l2)
        return Clusters(renumber(separate_photographs(embeddings, photographs, labels)), threshold_sq_l2)

    def _choose_threshold(self, embeddings: Embeddings) -> float:
        if not isinstance(self._threshold, ClusteringThresholds):
            return self._threshold
        n = len(embeddings)
        labels = _label(embeddings, float(self._threshold.at(max(n, 1))))
        clusters = labels.max(initial=NOISE) + 1 + np.count_nonzero(labels == NOISE)
        return float(self._threshold.at(max(n * n / max(clusters, 1), 1)))


def _label(embeddings: Embeddings, threshold_sq_l2: float) -> Labels:
    if not len(embeddings):
        return np.empty(0, np.int64)
    radius = max(plain_l2(threshold_sq_l2), np.finfo(np.float64).tiny)  # scikit-learn refuses 0
    labels: Labels = DBSCAN(eps=radius, min_samples=MIN_FACES).fit_predict(embeddings)
    return labels
