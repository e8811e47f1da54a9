from itertools import combinations

import numpy as np
import pytest

from models.evaluation.metrics.clustering import pairwise_f


def _count_each_pair(labels: list[int], people: list[int]) -> float:
    true_positives = false_positives = false_negatives = 0
    for left, right in combinations(range(len(labels)), 2):
        together = labels[left] == labels[right] != -1
        same = people[left] == people[right]
        true_positives += together and same
        false_positives += together and not same
        false_negatives += same and not together
    total = 2 * true_positives + false_positives + false_negatives
    return 2 * true_positives / total if total else 1.0


@pytest.mark.parametrize("seed", range(10))
def test_pairwise_f_is_the_result_of_counting_every_pair(seed: int) -> None:
    rng = np.random.default_rng(seed)
    people, labels = rng.integers(0, 6, 60), rng.integers(-1, 8, 60)

    assert pairwise_f(labels, people) == pytest.approx(_count_each_pair(labels.tolist(), people.tolist()))


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
    assert pairwise_f(np.array(labels, np.int64), np.array(people, np.int64)) == f
