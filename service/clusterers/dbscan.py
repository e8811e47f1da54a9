"""DBSCAN (Ester, Kriegel, Sander, Xu, 1996): whoever is near a face of a cluster is in it."""

import numpy as np
from sklearn.cluster import DBSCAN

from service.clusterers.base import Grouping, Labels, Photographs, kept_apart, needed, numbered, unused
from service.distances import plain_l2
from service.domain import Embeddings

MIN_FACES = 2
"""Two near faces are a cluster: few people are in a collection of photographs more than a few times."""


class Dbscan:
    """By a threshold. Chains of near faces are followed, so it is stricter than the one of an average."""

    def __init__(self, grouping: Grouping) -> None:
        unused(grouping.n_clusters, "n_clusters", "dbscan")
        self._threshold_sq_l2 = needed(grouping.threshold_sq_l2, "threshold", "dbscan")

    def cluster(self, embeddings: Embeddings, photographs: Photographs) -> Labels:
        """A face without another nearer than the threshold is noise; faces of one photograph by `kept_apart`."""
        if not len(embeddings):
            return np.empty(0, np.int64)
        radius = max(plain_l2(self._threshold_sq_l2), np.finfo(np.float64).tiny)  # scikit-learn refuses a radius of 0
        labels = DBSCAN(eps=radius, min_samples=MIN_FACES).fit_predict(embeddings)
        return numbered(kept_apart(embeddings, photographs, labels))
