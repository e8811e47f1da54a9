from itertools import combinations

import numpy as np
import pytest

from models.evaluation.metrics.clustering import Agreement, People, bcubed, mixed_share, pairwise
from service.clusterers.base import Labels


def _draw(seed: int) -> tuple[list[int], list[int]]:
    """Return the labels and the people of 60 faces. Some are noise."""
    rng = np.random.default_rng(seed)
    return rng.integers(-1, 8, 60).tolist(), rng.integers(0, 6, 60).tolist()


def _arrays(labels: list[int], people: list[int]) -> tuple[Labels, People]:
    return np.array(labels, np.int64), np.array(people, np.int64)


def _in_one_cluster(labels: list[int], left: int, right: int) -> bool:
    return left == right or labels[left] == labels[right] != -1


@pytest.mark.parametrize("seed", range(10))
def test_pairwise_is_the_result_of_counting_every_pair(seed: int) -> None:
    labels, people = _draw(seed)
    pairs = [
        (_in_one_cluster(labels, left, right), people[left] == people[right])
        for left, right in combinations(range(60), 2)
    ]
    both = sum(one_cluster and same for one_cluster, same in pairs)

    found = pairwise(*_arrays(labels, people))

    assert found.precision == pytest.approx(both / sum(one_cluster for one_cluster, _ in pairs))
    assert found.recall == pytest.approx(both / sum(same for _, same in pairs))


@pytest.mark.parametrize("seed", range(10))
def test_bcubed_is_the_mean_over_the_faces(seed: int) -> None:
    labels, people = _draw(seed)
    clusters = [{other for other in range(60) if _in_one_cluster(labels, face, other)} for face in range(60)]
    same = [{other for other in range(60) if people[face] == people[other]} for face in range(60)]
    common = [len(cluster & person) for cluster, person in zip(clusters, same, strict=True)]

    found = bcubed(*_arrays(labels, people))

    assert found.precision == pytest.approx(np.mean([n / len(one) for n, one in zip(common, clusters, strict=True)]))
    assert found.recall == pytest.approx(np.mean([n / len(one) for n, one in zip(common, same, strict=True)]))


@pytest.mark.parametrize(
    ("labels", "people", "f"),
    [
        ([0, 0, 1, 1], [7, 7, 3, 3], 1.0),
        ([0, 1, 2, 3], [7, 7, 3, 3], 0.0),
        ([-1, -1, -1], [7, 7, 7], 0.0),
        ([-1, 0, 1], [1, 2, 3], 1.0),
        ([0, 0, 0], [7, 7, 3], 0.5),
        ([], [], 1.0),
    ],
)
def test_each_noise_face_is_a_cluster_of_its_own(labels: list[int], people: list[int], f: float) -> None:
    assert pairwise(*_arrays(labels, people)).f == pytest.approx(f)


@pytest.mark.parametrize(
    ("labels", "people", "share"),
    [
        ([0, 0, 1, 1], [7, 7, 3, 3], 0.0),
        ([0, 0, 1, 1], [7, 3, 3, 3], 0.5),
        ([0, 0, 1, 2, -1, -1], [7, 3, 3, 3, 3, 3], 0.2),
        ([], [], 0.0),
    ],
)
def test_the_mixed_clusters_are_a_share_of_all_clusters(labels: list[int], people: list[int], share: float) -> None:
    assert mixed_share(*_arrays(labels, people)) == share


def test_without_faces_the_agreement_is_perfect() -> None:
    assert bcubed(*_arrays([], [])) == pairwise(*_arrays([], [])) == Agreement(1.0, 1.0)
