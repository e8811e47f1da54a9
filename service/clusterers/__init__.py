"""The clustering methods by name, as "module:Class". A module is imported only when its method is used."""

from pkgutil import resolve_name

from service.clusterers.base import Clusterer, ClusteringLimits, Clusters, Photographs
from service.domain.embedding import Embeddings

CLUSTERERS = {
    "agglomerative": "service.clusterers.agglomerative:Agglomerative",
    "kmeans": "service.clusterers.kmeans:KMeans",
    "dbscan": "service.clusterers.dbscan:Dbscan",
    "hdbscan": "service.clusterers.hdbscan:Hdbscan",
}


def create_clusterer(method: str, limits: ClusteringLimits) -> Clusterer:
    """Create a clusterer. method: a name in CLUSTERERS.

    Raises InvalidOption if a limit that the method needs is missing, or if a limit that it does not use is given.
    """
    clusterer: Clusterer = resolve_name(CLUSTERERS[method])(limits)
    return clusterer


def label_faces(method: str, limits: ClusteringLimits, embeddings: Embeddings, photographs: Photographs) -> Clusters:
    """Create a clusterer and cluster the faces, in one call for another process. Raises InvalidOption."""
    return create_clusterer(method, limits).cluster(embeddings, photographs)
