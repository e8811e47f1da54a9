"""The clustering methods, by name: "module:Class", imported on demand. So scikit-learn loads only if it is used."""

from pkgutil import resolve_name

from service.clusterers.base import Clusterer, ClusteringLimits

CLUSTERERS = {
    "agglomerative": "service.clusterers.agglomerative:Agglomerative",
    "kmeans": "service.clusterers.kmeans:KMeans",
    "dbscan": "service.clusterers.dbscan:Dbscan",
    "hdbscan": "service.clusterers.hdbscan:Hdbscan",
}


def create_clusterer(method: str, limits: ClusteringLimits) -> Clusterer:
    """Create a clusterer. method: a name in CLUSTERERS.

    Raises InvalidOption if a limit is missing that the method needs, or given and not used.
    """
    clusterer: Clusterer = resolve_name(CLUSTERERS[method])(limits)
    return clusterer
