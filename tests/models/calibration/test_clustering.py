import numpy as np
import pytest

from models.calibration.clustering import MIXED_SHARE, find_clustering_thresholds
from models.calibration.thresholds import LabelledEmbeddings
from models.errors import DatasetError
from models.evaluation.metrics.clustering import mixed_share
from service.clusterers import create_clusterer
from service.clusterers.base import ClusteringLimits
from service.domain.distances import unit


def _faces(people: int, photographs: int, seed: int) -> LabelledEmbeddings:
    """Return embeddings near the centres of their people, in 16 dimensions."""
    rng = np.random.default_rng(seed)
    centres = np.repeat(unit(rng.normal(size=(people, 16)).astype(np.float32)), photographs, axis=0)
    vectors = unit((centres + 0.05 * rng.normal(size=centres.shape)).astype(np.float32))
    return LabelledEmbeddings(vectors, np.repeat(np.arange(people), photographs), 0)


def test_the_thresholds_of_some_people_keep_the_share_of_mixed_clusters_of_others() -> None:
    measured = find_clustering_thresholds(_faces(1_000, 2, seed=0), "made-up people")

    for people in (100, 400):
        shares = []
        for seed in range(1, 11):
            faces = _faces(people, 1, seed)
            clusterer = create_clusterer("agglomerative", ClusteringLimits(default_threshold=measured))
            shares.append(mixed_share(clusterer.cluster(faces.embeddings, faces.people).labels, faces.people))
        assert MIXED_SHARE / 3 < np.mean(shares) < 1.5 * MIXED_SHARE


def test_a_threshold_is_measured_only_if_thirty_pairs_are_nearer() -> None:
    measured = find_clustering_thresholds(_faces(400, 1, seed=0), "made-up people")
    # 79,800 pairs: for 30 people 55 are nearer, for 100 people 16 would be.
    assert measured.people == (10, 30)
    assert measured.mixed_share == MIXED_SHARE


def test_too_few_people_are_refused() -> None:
    with pytest.raises(DatasetError, match="at least 300 people"):
        find_clustering_thresholds(_faces(20, 2, seed=0), "made-up people")


def test_a_photograph_under_several_names_is_refused() -> None:
    equal = np.tile(np.eye(1, 16, dtype=np.float32), (400, 1))
    with pytest.raises(DatasetError, match="Remove duplicates"):
        find_clustering_thresholds(LabelledEmbeddings(equal, np.arange(400), 0), "made-up people")
