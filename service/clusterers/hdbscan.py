"""HDBSCAN (Campello, Moulavi, Sander, 2013): DBSCAN at all thresholds. It keeps the most stable clusters."""

import numpy as np
from sklearn.cluster import HDBSCAN

from service.clusterers.base import (
    NOISE,
    ClusteringLimits,
    Clusters,
    Photographs,
    refuse_option,
    renumber,
    separate_photographs,
)
from service.domain.embedding import Embeddings

MIN_FACES = 2


class Hdbscan:
    """Needs neither a threshold nor the number of clusters.

    It looks for differences in density, so it never puts all faces into one cluster. It takes 32 bytes of memory for
    each pair of faces: 400 MB for 5,000 faces. The tree algorithms of scikit-learn take less memory, but hold the GIL
    for more than a second.
    """

    def __init__(self, limits: ClusteringLimits) -> None:
        refuse_option(limits.n_clusters, "n_clusters", "hdbscan")
        # scikit-learn has cluster_selection_epsilon for this, but it fails with NumPy 2.4 (scikit-learn issue 33219).
        refuse_option(limits.threshold_sq_l2, "threshold", "hdbscan")

    def cluster(self, embeddings: Embeddings, photographs: Photographs) -> Clusters:
        """Cluster the faces. A face in no stable cluster is noise."""
        if len(embeddings) < MIN_FACES:
            return Clusters(np.full(len(embeddings), NOISE), None)
        found = HDBSCAN(min_cluster_size=MIN_FACES, algorithm="brute", copy=False).fit_predict(embeddings)
        return Clusters(renumber(separate_photographs(embeddings, photographs, found)), None)
