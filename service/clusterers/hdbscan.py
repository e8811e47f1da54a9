"""HDBSCAN (Campello, Moulavi, Sander, 2013): DBSCAN at all thresholds at once, keeping the clusters that last."""

import numpy as np
from sklearn.cluster import HDBSCAN

from service.clusterers.base import NOISE, Grouping, Labels, Photographs, kept_apart, numbered, unused
from service.domain import Embeddings

MIN_FACES = 2


class Hdbscan:
    """By nothing but the faces themselves.

    It looks for differences in density, so it never finds that all faces are one person's. Takes 32 bytes for each
    pair of faces (400 MB for 5,000); scikit-learn's trees take less, and hold the GIL for more than a second.
    """

    def __init__(self, grouping: Grouping) -> None:
        unused(grouping.n_clusters, "n_clusters", "hdbscan")
        # It could take one, as cluster_selection_epsilon, which fails with NumPy 2.4 (scikit-learn issue 33219).
        unused(grouping.threshold_sq_l2, "threshold", "hdbscan")

    def cluster(self, embeddings: Embeddings, photographs: Photographs) -> Labels:
        """A face that is in no lasting cluster is noise; faces of one photograph by `kept_apart`."""
        if len(embeddings) < MIN_FACES:
            return np.full(len(embeddings), NOISE)
        found = HDBSCAN(min_cluster_size=MIN_FACES, algorithm="brute", copy=False).fit_predict(embeddings)
        return numbered(kept_apart(embeddings, photographs, found))
