"""Clusterers by name: "module:Class", resolved on demand, so that scikit-learn loads only where it is used."""

from pkgutil import resolve_name

from service.clusterers.base import Clusterer, Grouping

CLUSTERERS = {
    "agglomerative": "service.clusterers.agglomerative:Agglomerative",
    "kmeans": "service.clusterers.kmeans:KMeans",
    "dbscan": "service.clusterers.dbscan:Dbscan",
    "hdbscan": "service.clusterers.hdbscan:Hdbscan",
}


def build(method: str, grouping: Grouping) -> Clusterer:
    """method: a name of the table. Raises InvalidOption for an option that the method lacks or cannot use."""
    clusterer: Clusterer = resolve_name(CLUSTERERS[method])(grouping)
    return clusterer
