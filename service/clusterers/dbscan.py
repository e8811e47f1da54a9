"""DBSCAN (Ester, Kriegel, Sander, Xu, 1996): a face that is near any face of a cluster joins the cluster."""

import numpy as np
from sklearn.cluster import DBSCAN

from service.clusterers.base import (
    ClusteringLimits,
    Labels,
    Photographs,
    refuse_option,
    renumber,
    require_option,
    separate_photographs,
)
from service.domain.distances import plain_l2
from service.domain.embedding import Embeddings

MIN_FACES = 2
"""Two near faces are a cluster, because many people occur only a few times in a collection of photographs."""


class Dbscan:
    """Needs a threshold. It joins chains of near faces, so its threshold is stricter than that of average linkage."""

    def __init__(self, limits: ClusteringLimits) -> None:
        refuse_option(limits.n_clusters, "n_clusters", "dbscan")
        self._threshold_sq_l2 = require_option(limits.threshold_sq_l2, "threshold=0.9", "dbscan")

    def cluster(self, embeddings: Embeddings, photographs: Photographs) -> Labels:
        """Cluster the faces. A face that has no other within the threshold is noise."""
        if not len(embeddings):
            return np.empty(0, np.int64)
        radius = max(plain_l2(self._threshold_sq_l2), np.finfo(np.float64).tiny)  # scikit-learn refuses 0
        labels = DBSCAN(eps=radius, min_samples=MIN_FACES).fit_predict(embeddings)
        return renumber(separate_photographs(embeddings, photographs, labels))
