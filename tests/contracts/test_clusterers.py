"""What every clusterer must do. Average linkage is also compared with a slow implementation of its definition."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.clusterers import CLUSTERERS, create_clusterer
from service.clusterers.base import NOISE, ClusteringLimits, Labels, Photographs, renumber, separate_photographs
from service.domain.distances import squared_l2, unit
from service.domain.embedding import Embeddings
from service.domain.errors import InvalidOption
from service.model_files.clustering import ClusteringThresholds

LIMITS = {
    "agglomerative": ClusteringLimits(threshold_sq_l2=1.0),
    "kmeans": ClusteringLimits(n_clusters=4),
    "dbscan": ClusteringLimits(threshold_sq_l2=1.0),
    "hdbscan": ClusteringLimits(),
}
"""The limits of each method in these tests."""

Partition = set[frozenset[int]]

SEEDS = st.integers(0, 2**32 - 1)
SIZES = st.integers(4, 24)


every_method = pytest.mark.parametrize("method", CLUSTERERS)


def random_faces(seed: int, n: int) -> Embeddings:
    """Return unit vectors around five directions, with a random spread."""
    rng = np.random.default_rng(seed)
    people = rng.normal(size=(5, 8))
    return unit((people[rng.integers(0, 5, n)] + rng.normal(size=(n, 8)) * rng.uniform(0, 1.5)).astype(np.float32))


def random_photographs(seed: int, n: int, at_most: int = 4) -> Photographs:
    """Return the number of the photograph of each face. A photograph has at most `at_most` faces."""
    return np.random.default_rng(seed).permutation(np.arange(n) // at_most)


def four_people() -> tuple[Embeddings, Photographs, Labels]:
    """Return five faces of each of four people. Each photograph shows two people."""
    rng = np.random.default_rng(7)
    people = np.tile([0, 1, 2, 3], 5)
    return unit((np.eye(16)[people] + 0.05 * rng.normal(size=(20, 16))).astype(np.float32)), np.arange(20) // 2, people


def partition(labels: Labels) -> Partition:
    """Return each cluster as a set of rows, without labels and without noise."""
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in set(labels.tolist()) - {NOISE}}


def average_linkage_by_definition(
    embeddings: Embeddings, photographs: Photographs, threshold: float = np.inf, n_clusters: int = 1
) -> Partition:
    """Cluster by the definition of average linkage: compare all pairs of clusters before each merge."""
    distances = squared_l2(embeddings, embeddings).astype(np.float64)
    clusters = [[face] for face in range(len(embeddings))]
    while len(clusters) > n_clusters:
        allowed = [
            (distances[np.ix_(a, b)].mean(), a, b)
            for a, b in itertools.combinations(clusters, 2)
            if set(photographs[a].tolist()).isdisjoint(photographs[b].tolist())
        ]
        distance, a, b = min(allowed, default=(np.inf, [], []))
        if distance >= threshold:
            break
        clusters = [cluster for cluster in clusters if cluster not in (a, b)] + [a + b]
    return {frozenset(cluster) for cluster in clusters}


def test_every_method_is_tested_here() -> None:
    assert set(LIMITS) == set(CLUSTERERS)


@every_method
def test_people_who_are_far_apart_get_different_clusters(method: str) -> None:
    embeddings, photographs, people = four_people()
    labels = create_clusterer(method, LIMITS[method]).cluster(embeddings, photographs).labels
    np.testing.assert_array_equal(labels, people)


@every_method
@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, n=SIZES)
def test_every_face_has_a_label_and_labels_count_from_0_in_order_of_appearance(method: str, seed: int, n: int) -> None:
    labels = create_clusterer(method, LIMITS[method]).cluster(random_faces(seed, n), random_photographs(seed, n)).labels
    assert labels.shape == (n,)
    assert labels.dtype == np.int64
    clustered = labels[labels != NOISE].tolist()
    assert list(dict.fromkeys(clustered)) == list(range(len(set(clustered))))


@every_method
@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, n=SIZES)
def test_two_faces_of_one_photograph_are_never_in_one_cluster(method: str, seed: int, n: int) -> None:
    photographs = random_photographs(seed, n)
    labels = create_clusterer(method, LIMITS[method]).cluster(random_faces(seed, n), photographs).labels
    for cluster in partition(labels):
        rows = sorted(cluster)
        assert len(set(photographs[rows].tolist())) == len(rows)


@every_method
@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, n=SIZES)
def test_the_order_of_the_faces_does_not_matter(method: str, seed: int, n: int) -> None:
    embeddings, photographs = random_faces(seed, n), random_photographs(seed, n)
    order = np.random.default_rng(seed).permutation(n)
    clusterer = create_clusterer(method, LIMITS[method])
    shuffled = np.empty(n, np.int64)
    shuffled[order] = clusterer.cluster(embeddings[order], photographs[order]).labels
    assert partition(shuffled) == partition(clusterer.cluster(embeddings, photographs).labels)


@every_method
def test_the_same_faces_always_give_the_same_labels(method: str) -> None:
    embeddings, photographs = random_faces(1, 24), random_photographs(1, 24)
    first, second = (create_clusterer(method, LIMITS[method]).cluster(embeddings, photographs).labels for _ in range(2))
    np.testing.assert_array_equal(first, second)


@every_method
@pytest.mark.parametrize("n", [0, 1])
def test_no_face_and_one_face_can_be_clustered(method: str, n: int) -> None:
    limits = ClusteringLimits(n_clusters=1) if method == "kmeans" else LIMITS[method]
    if method == "kmeans" and n == 0:
        with pytest.raises(InvalidOption, match="0 faces"):
            create_clusterer(method, limits).cluster(random_faces(0, 0), random_photographs(0, 0))
    else:
        labels = create_clusterer(method, limits).cluster(random_faces(0, n), random_photographs(0, n)).labels
        assert labels.shape == (n,)
        assert labels.dtype == np.int64


@every_method
def test_equal_embeddings_are_one_cluster(method: str) -> None:
    embeddings = np.eye(8, dtype=np.float32)[[0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]]
    labels = create_clusterer(method, LIMITS[method]).cluster(embeddings, np.arange(12)).labels
    assert labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]


@pytest.mark.parametrize(
    ("method", "limits"),
    [
        ("agglomerative", ClusteringLimits()),
        ("agglomerative", ClusteringLimits(threshold_sq_l2=1.0, n_clusters=2)),
        ("kmeans", ClusteringLimits()),
        ("kmeans", ClusteringLimits(threshold_sq_l2=1.0, n_clusters=2)),
        ("dbscan", ClusteringLimits()),
        ("dbscan", ClusteringLimits(threshold_sq_l2=1.0, n_clusters=2)),
        ("hdbscan", ClusteringLimits(n_clusters=2)),
        ("hdbscan", ClusteringLimits(threshold_sq_l2=1.0)),
    ],
)
def test_missing_limits_and_limits_that_a_method_cannot_use_are_refused(method: str, limits: ClusteringLimits) -> None:
    with pytest.raises(InvalidOption, match=method):
        create_clusterer(method, limits)


@pytest.mark.parametrize("method", ["agglomerative", "kmeans"])
def test_there_are_never_more_clusters_than_faces(method: str) -> None:
    with pytest.raises(InvalidOption, match="There are 4 faces and 5 clusters were asked for"):
        create_clusterer(method, ClusteringLimits(n_clusters=5)).cluster(random_faces(0, 4), np.arange(4))


@pytest.mark.parametrize("method", ["agglomerative", "kmeans"])
def test_there_are_never_fewer_clusters_than_faces_in_a_photograph(method: str) -> None:
    with pytest.raises(InvalidOption, match="One photograph shows 3 faces"):
        create_clusterer(method, ClusteringLimits(n_clusters=2)).cluster(random_faces(0, 4), np.array([0, 0, 1, 0]))


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, n=st.integers(2, 14), threshold=st.floats(0.1, 4.0), at_most=st.integers(1, 5))
def test_average_linkage_agrees_with_its_definition(seed: int, n: int, threshold: float, at_most: int) -> None:
    embeddings, photographs = random_faces(seed, n), random_photographs(seed, n, at_most)
    labels = (
        create_clusterer("agglomerative", ClusteringLimits(threshold_sq_l2=threshold))
        .cluster(embeddings, photographs)
        .labels
    )
    assert partition(labels) == average_linkage_by_definition(embeddings, photographs, threshold=threshold)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, n=st.integers(2, 14), n_clusters=st.integers(1, 14))
def test_average_linkage_stops_at_the_number_of_clusters(seed: int, n: int, n_clusters: int) -> None:
    possible_clusters = min(n, n_clusters)
    labels = (
        create_clusterer("agglomerative", ClusteringLimits(n_clusters=possible_clusters))
        .cluster(random_faces(seed, n), np.arange(n))
        .labels
    )
    assert partition(labels) == average_linkage_by_definition(
        random_faces(seed, n), np.arange(n), n_clusters=possible_clusters
    )


def test_average_linkage_refuses_a_number_of_clusters_that_the_photographs_make_impossible() -> None:
    # Three people. Each pair of them is in one photograph.
    angles = np.radians([0, 1, 60, 61, 120, 121])
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    with pytest.raises(InvalidOption, match="at least 3 clusters, and 2 were asked for"):
        create_clusterer("agglomerative", ClusteringLimits(n_clusters=2)).cluster(
            embeddings, np.array([0, 1, 0, 2, 1, 2])
        )


def test_equal_faces_of_one_photograph_stay_in_different_clusters_among_thousands() -> None:
    n = 2_000
    embeddings = np.tile(np.eye(1, 8, dtype=np.float32), (n, 1))
    photographs = np.arange(n)
    photographs[-1] = 0
    labels = (
        create_clusterer("agglomerative", ClusteringLimits(threshold_sq_l2=4.0)).cluster(embeddings, photographs).labels
    )
    assert labels[0] != labels[-1]
    assert labels.max() == 1


def test_faces_at_exactly_the_threshold_are_not_joined() -> None:
    embeddings = np.eye(2, dtype=np.float32)  # the squared distance is exactly 2
    assert create_clusterer("agglomerative", ClusteringLimits(threshold_sq_l2=2.0)).cluster(
        embeddings, np.arange(2)
    ).labels.tolist() == [
        0,
        1,
    ]
    assert create_clusterer("agglomerative", ClusteringLimits(threshold_sq_l2=2.01)).cluster(
        embeddings, np.arange(2)
    ).labels.tolist() == [0, 0]


def test_dbscan_joins_chains_that_average_linkage_does_not_join() -> None:
    angles = np.radians(np.arange(0, 91, 10))
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    step = float(squared_l2(embeddings[:1], embeddings[1:2])[0, 0])
    labels = {
        method: create_clusterer(method, ClusteringLimits(threshold_sq_l2=1.1 * step))
        .cluster(embeddings, np.arange(10))
        .labels
        for method in ("dbscan", "agglomerative")
    }
    assert labels["dbscan"].max() == 0
    assert labels["agglomerative"].max() > 0


@pytest.mark.parametrize("threshold", [0.0, 4.0])
def test_dbscan_accepts_the_smallest_and_the_largest_threshold(threshold: float) -> None:
    labels = (
        create_clusterer("dbscan", ClusteringLimits(threshold_sq_l2=threshold))
        .cluster(random_faces(3, 20), np.arange(20))
        .labels
    )
    assert set(labels.tolist()) == ({NOISE} if threshold == 0.0 else {0})


def test_kmeans_assigns_the_faces_of_a_photograph_to_different_clusters_at_the_least_cost() -> None:
    angles = np.radians([0, 2, 4, 90, 92, 94, 3, 5])
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    photographs = np.array([0, 1, 2, 3, 4, 5, 6, 6])
    labels = create_clusterer("kmeans", ClusteringLimits(n_clusters=2)).cluster(embeddings, photographs).labels
    assert labels.tolist() == [0, 0, 0, 1, 1, 1, 0, 1]


def test_a_cluster_keeps_the_face_of_each_photograph_that_is_nearest_to_its_mean() -> None:
    angles = np.radians([0, 2, 30, 1, 90, 91])
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    labels = separate_photographs(embeddings, np.array([0, 1, 2, 2, 3, 3]), np.array([0, 0, 0, 0, 1, 1]))
    assert labels.tolist() == [0, 0, NOISE, 0, NOISE, NOISE]


def test_labels_are_renumbered_and_noise_stays_noise() -> None:
    assert renumber(np.array([7, NOISE, 3, 7, 0])).tolist() == [0, NOISE, 1, 0, 2]


THRESHOLDS = ClusteringThresholds(
    mixed_share=0.01, people=(2, 4, 16), thresholds_sq_l2=(1.5, 1.0, 0.3), measured_on="nothing"
)
DEFAULT = ClusteringLimits(default_threshold=THRESHOLDS)
with_default = pytest.mark.parametrize("method", ["agglomerative", "dbscan"])


@with_default
@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, n=SIZES)
def test_the_threshold_of_a_default_gives_the_same_clusters_when_it_is_passed(method: str, seed: int, n: int) -> None:
    embeddings, photographs = random_faces(seed, n), random_photographs(seed, n)
    found = create_clusterer(method, DEFAULT).cluster(embeddings, photographs)
    passed = create_clusterer(method, ClusteringLimits(found.threshold_sq_l2)).cluster(embeddings, photographs)
    assert passed.threshold_sq_l2 == found.threshold_sq_l2
    np.testing.assert_array_equal(passed.labels, found.labels)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, n=SIZES)
def test_average_linkage_stops_at_the_first_join_above_the_threshold_for_the_clusters_that_are_left(
    seed: int, n: int
) -> None:
    embeddings, photographs = random_faces(seed, n), random_photographs(seed, n)
    clusterer = create_clusterer("agglomerative", DEFAULT)
    found = clusterer.cluster(embeddings, photographs)
    left = len(partition(found.labels))
    assert found.threshold_sq_l2 == pytest.approx(float(THRESHOLDS.at(left)))
    for clusters in range(left, n + 1):
        threshold = float(THRESHOLDS.at(clusters))
        fewer = average_linkage_by_definition(embeddings, photographs, threshold, n_clusters=clusters - 1)
        assert len(fewer) == clusters if clusters == left else len(fewer) < clusters


@with_default
def test_a_limit_of_the_caller_replaces_the_default(method: str) -> None:
    embeddings, photographs, _ = four_people()
    limits = ClusteringLimits(threshold_sq_l2=0.7, default_threshold=THRESHOLDS)
    assert create_clusterer(method, limits).cluster(embeddings, photographs).threshold_sq_l2 == 0.7


def test_a_number_of_clusters_replaces_the_default() -> None:
    embeddings, photographs, _ = four_people()
    limits = ClusteringLimits(n_clusters=4, default_threshold=THRESHOLDS)
    found = create_clusterer("agglomerative", limits).cluster(embeddings, photographs)
    assert (len(partition(found.labels)), found.threshold_sq_l2) == (4, None)


def test_dbscan_has_a_lower_default_for_more_faces_of_the_same_people() -> None:
    embeddings, photographs, _ = four_people()
    clusterer = create_clusterer("dbscan", DEFAULT)
    few, many = (clusterer.cluster(embeddings[:n], photographs[:n]).threshold_sq_l2 for n in (8, 20))
    assert few == pytest.approx(float(THRESHOLDS.at(8 * 8 / 4)))
    assert many == pytest.approx(float(THRESHOLDS.at(20 * 20 / 4)))


@with_default
@pytest.mark.parametrize("n", [0, 1])
def test_no_face_and_one_face_have_a_default_threshold(method: str, n: int) -> None:
    found = create_clusterer(method, DEFAULT).cluster(random_faces(0, n), np.arange(n))
    assert found.threshold_sq_l2 == THRESHOLDS.thresholds_sq_l2[0]
