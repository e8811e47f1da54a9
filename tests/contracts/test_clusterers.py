"""What every clusterer must do; average linkage, the reference, is held against a slow and obvious one."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.clusterers import CLUSTERERS, build
from service.clusterers.base import NOISE, Grouping, Labels, Photographs, kept_apart, numbered
from service.distances import squared_l2, unit
from service.domain import Embeddings
from service.errors import InvalidOption

GROUPINGS = {
    "agglomerative": Grouping(threshold_sq_l2=1.0),
    "kmeans": Grouping(n_clusters=4),
    "dbscan": Grouping(threshold_sq_l2=1.0),
    "hdbscan": Grouping(),
}
"""What each method is asked for here."""

Partition = set[frozenset[int]]

SEEDS = st.integers(0, 2**32 - 1)
SIZES = st.integers(4, 24)


every_method = pytest.mark.parametrize("method", CLUSTERERS)


def faces(seed: int, n: int) -> Embeddings:
    """Unit vectors around a few directions, near and far."""
    rng = np.random.default_rng(seed)
    people = rng.normal(size=(5, 8))
    return unit((people[rng.integers(0, 5, n)] + rng.normal(size=(n, 8)) * rng.uniform(0, 1.5)).astype(np.float32))


def photographs(seed: int, n: int, at_most: int = 4) -> Photographs:
    """Which photograph each of the faces is from; none shows more than `at_most`."""
    return np.random.default_rng(seed).permutation(np.arange(n) // at_most)


def four_people() -> tuple[Embeddings, Photographs, Labels]:
    """Five faces each of four people, of whom two are in every photograph."""
    rng = np.random.default_rng(7)
    who = np.tile([0, 1, 2, 3], 5)
    return unit((np.eye(16)[who] + 0.05 * rng.normal(size=(20, 16))).astype(np.float32)), np.arange(20) // 2, who


def partition(labels: Labels) -> Partition:
    """The groups without their numbers, and without noise."""
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in set(labels.tolist()) - {NOISE}}


def average_linkage(
    embeddings: Embeddings, photographs: Photographs, threshold: float = np.inf, n_clusters: int = 1
) -> Partition:
    """By its definition: all pairs of clusters are looked at before each join."""
    distances = squared_l2(embeddings, embeddings).astype(np.float64)
    clusters = [[face] for face in range(len(embeddings))]
    while len(clusters) > n_clusters:
        allowed = [
            (distances[np.ix_(a, b)].mean(), a, b)
            for a, b in itertools.combinations(clusters, 2)
            if set(photographs[a].tolist()).isdisjoint(photographs[b].tolist())
        ]
        nearest, a, b = min(allowed, default=(np.inf, [], []))
        if nearest >= threshold:
            break
        clusters = [cluster for cluster in clusters if cluster not in (a, b)] + [a + b]
    return {frozenset(cluster) for cluster in clusters}


def test_every_method_of_the_table_is_tested_here() -> None:
    assert set(GROUPINGS) == set(CLUSTERERS)


@every_method
def test_people_who_are_far_apart_are_told_apart(method: str) -> None:
    embeddings, from_photograph, who = four_people()
    labels = build(method, GROUPINGS[method]).cluster(embeddings, from_photograph)
    np.testing.assert_array_equal(labels, who)


@every_method
@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, n=SIZES)
def test_every_face_has_a_label_and_labels_count_from_nought_by_first_appearance(
    method: str, seed: int, n: int
) -> None:
    labels = build(method, GROUPINGS[method]).cluster(faces(seed, n), photographs(seed, n))
    assert labels.shape == (n,)
    assert labels.dtype == np.int64
    clustered = labels[labels != NOISE].tolist()
    assert list(dict.fromkeys(clustered)) == list(range(len(set(clustered))))


@every_method
@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, n=SIZES)
def test_two_faces_of_one_photograph_are_never_together(method: str, seed: int, n: int) -> None:
    from_photograph = photographs(seed, n)
    labels = build(method, GROUPINGS[method]).cluster(faces(seed, n), from_photograph)
    for cluster in partition(labels):
        rows = sorted(cluster)
        assert len(set(from_photograph[rows].tolist())) == len(rows)


@every_method
@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, n=SIZES)
def test_the_order_of_the_faces_does_not_matter(method: str, seed: int, n: int) -> None:
    embeddings, from_photograph = faces(seed, n), photographs(seed, n)
    order = np.random.default_rng(seed).permutation(n)
    clusterer = build(method, GROUPINGS[method])
    shuffled = np.empty(n, np.int64)
    shuffled[order] = clusterer.cluster(embeddings[order], from_photograph[order])
    assert partition(shuffled) == partition(clusterer.cluster(embeddings, from_photograph))


@every_method
def test_the_same_faces_always_give_the_same_labels(method: str) -> None:
    embeddings, from_photograph = faces(1, 24), photographs(1, 24)
    first, second = (build(method, GROUPINGS[method]).cluster(embeddings, from_photograph) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@every_method
@pytest.mark.parametrize("n", [0, 1])
def test_no_face_and_a_lone_face_are_grouped_too(method: str, n: int) -> None:
    grouping = Grouping(n_clusters=1) if method == "kmeans" else GROUPINGS[method]
    if method == "kmeans" and n == 0:
        with pytest.raises(InvalidOption, match="0 faces"):
            build(method, grouping).cluster(faces(0, 0), photographs(0, 0))
    else:
        labels = build(method, grouping).cluster(faces(0, n), photographs(0, n))
        assert labels.shape == (n,)
        assert labels.dtype == np.int64


@every_method
def test_equal_embeddings_are_one_person_s(method: str) -> None:
    embeddings = np.eye(8, dtype=np.float32)[[0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]]
    labels = build(method, GROUPINGS[method]).cluster(embeddings, np.arange(12))
    assert labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]


@pytest.mark.parametrize(
    ("method", "grouping"),
    [
        ("agglomerative", Grouping()),
        ("agglomerative", Grouping(threshold_sq_l2=1.0, n_clusters=2)),
        ("kmeans", Grouping()),
        ("kmeans", Grouping(threshold_sq_l2=1.0, n_clusters=2)),
        ("dbscan", Grouping()),
        ("dbscan", Grouping(threshold_sq_l2=1.0, n_clusters=2)),
        ("hdbscan", Grouping(n_clusters=2)),
        ("hdbscan", Grouping(threshold_sq_l2=1.0)),
    ],
)
def test_an_option_that_a_method_lacks_or_cannot_use_is_refused(method: str, grouping: Grouping) -> None:
    with pytest.raises(InvalidOption, match=method):
        build(method, grouping)


@pytest.mark.parametrize("method", ["agglomerative", "kmeans"])
def test_there_are_never_more_clusters_than_faces(method: str) -> None:
    with pytest.raises(InvalidOption, match="There are 4 faces and 5 clusters were asked for"):
        build(method, Grouping(n_clusters=5)).cluster(faces(0, 4), np.arange(4))


@pytest.mark.parametrize("method", ["agglomerative", "kmeans"])
def test_there_are_never_fewer_clusters_than_faces_in_a_photograph(method: str) -> None:
    with pytest.raises(InvalidOption, match="One photograph shows 3 faces"):
        build(method, Grouping(n_clusters=2)).cluster(faces(0, 4), np.array([0, 0, 1, 0]))


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, n=st.integers(2, 14), threshold=st.floats(0.1, 4.0), at_most=st.integers(1, 5))
def test_average_linkage_joins_what_its_definition_joins(seed: int, n: int, threshold: float, at_most: int) -> None:
    embeddings, from_photograph = faces(seed, n), photographs(seed, n, at_most)
    labels = build("agglomerative", Grouping(threshold_sq_l2=threshold)).cluster(embeddings, from_photograph)
    assert partition(labels) == average_linkage(embeddings, from_photograph, threshold=threshold)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, n=st.integers(2, 14), n_clusters=st.integers(1, 14))
def test_average_linkage_stops_at_the_number_of_clusters(seed: int, n: int, n_clusters: int) -> None:
    wanted = min(n, n_clusters)
    labels = build("agglomerative", Grouping(n_clusters=wanted)).cluster(faces(seed, n), np.arange(n))
    assert partition(labels) == average_linkage(faces(seed, n), np.arange(n), n_clusters=wanted)


def test_average_linkage_refuses_a_number_that_photographs_rule_out() -> None:
    # Three people, each two of whom are in a photograph together.
    angles = np.radians([0, 1, 60, 61, 120, 121])
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    with pytest.raises(InvalidOption, match="at least 3 clusters, and 2 were asked for"):
        build("agglomerative", Grouping(n_clusters=2)).cluster(embeddings, np.array([0, 1, 0, 2, 1, 2]))


def test_equal_faces_of_one_photograph_stay_apart_among_thousands() -> None:
    n = 2_000
    embeddings = np.tile(np.eye(1, 8, dtype=np.float32), (n, 1))
    from_photograph = np.arange(n)
    from_photograph[-1] = 0
    labels = build("agglomerative", Grouping(threshold_sq_l2=4.0)).cluster(embeddings, from_photograph)
    assert labels[0] != labels[-1]
    assert labels.max() == 1


def test_a_distance_of_the_threshold_itself_is_too_far() -> None:
    embeddings = np.eye(2, dtype=np.float32)  # at a squared distance of exactly 2
    assert build("agglomerative", Grouping(threshold_sq_l2=2.0)).cluster(embeddings, np.arange(2)).tolist() == [0, 1]
    assert build("agglomerative", Grouping(threshold_sq_l2=2.01)).cluster(embeddings, np.arange(2)).tolist() == [0, 0]


def test_dbscan_follows_chains_that_average_linkage_does_not() -> None:
    angles = np.radians(np.arange(0, 91, 10))
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    step = float(squared_l2(embeddings[:1], embeddings[1:2])[0, 0])
    labels = {
        method: build(method, Grouping(threshold_sq_l2=1.1 * step)).cluster(embeddings, np.arange(10))
        for method in ("dbscan", "agglomerative")
    }
    assert labels["dbscan"].max() == 0
    assert labels["agglomerative"].max() > 0


@pytest.mark.parametrize("threshold", [0.0, 4.0])
def test_dbscan_takes_thresholds_from_end_to_end(threshold: float) -> None:
    labels = build("dbscan", Grouping(threshold_sq_l2=threshold)).cluster(faces(3, 20), np.arange(20))
    assert set(labels.tolist()) == ({NOISE} if threshold == 0.0 else {0})


def test_kmeans_deals_a_photograph_s_faces_out_at_the_least_cost() -> None:
    angles = np.radians([0, 2, 4, 90, 92, 94, 3, 5])
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    from_photograph = np.array([0, 1, 2, 3, 4, 5, 6, 6])
    labels = build("kmeans", Grouping(n_clusters=2)).cluster(embeddings, from_photograph)
    assert labels.tolist() == [0, 0, 0, 1, 1, 1, 0, 1]


def test_a_cluster_keeps_the_face_of_a_photograph_that_is_nearest_to_its_mean() -> None:
    angles = np.radians([0, 2, 30, 1, 90, 91])
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    labels = kept_apart(embeddings, np.array([0, 1, 2, 2, 3, 3]), np.array([0, 0, 0, 0, 1, 1]))
    assert labels.tolist() == [0, 0, NOISE, 0, NOISE, NOISE]


def test_labels_are_numbered_anew_and_noise_stays_noise() -> None:
    assert numbered(np.array([7, NOISE, 3, 7, 0])).tolist() == [0, NOISE, 1, 0, 2]
