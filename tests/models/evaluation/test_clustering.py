from itertools import combinations

import numpy as np
import pytest

from models.evaluation.clustering import pairwise_f


def _slowly(labels: list[int], people: list[int]) -> float:
    """Every pair of faces, looked at by itself."""
    true = false = missed = 0
    for one, other in combinations(range(len(labels)), 2):
        together = labels[one] == labels[other] != -1
        same = people[one] == people[other]
        true += together and same
        false += together and not same
        missed += same and not together
    return 2 * true / (2 * true + false + missed) if true + false + missed else 1.0


@pytest.mark.parametrize("seed", range(10))
def test_it_is_what_counting_every_pair_gives(seed: int) -> None:
    rng = np.random.default_rng(seed)
    people, labels = rng.integers(0, 6, 60), rng.integers(-1, 8, 60)

    assert pairwise_f(labels, people) == pytest.approx(_slowly(labels.tolist(), people.tolist()))


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
def test_noise_is_nobody_s_company(labels: list[int], people: list[int], f: float) -> None:
    assert pairwise_f(np.array(labels, np.int64), np.array(people, np.int64)) == f
