import numpy as np
import pytest

from models.evaluation import metrics
from models.evaluation.metrics import Distances, Same


@pytest.fixture(params=range(5))
def pairs(request: pytest.FixtureRequest) -> tuple[Distances, Same]:
    rng = np.random.default_rng(request.param)
    same = rng.random(300) < 0.5
    return rng.normal(np.where(same, 1.0, 1.7), 0.3).clip(0, 4).astype(np.float32), same


def test_val_and_far_count_what_is_accepted(pairs: tuple[Distances, Same]) -> None:
    distances, same = pairs
    for d in (0.0, 0.9, 1.242, 4.0):
        genuine = [one < d for one, kind in zip(distances, same, strict=True) if kind]
        impostor = [one < d for one, kind in zip(distances, same, strict=True) if not kind]
        assert metrics.validation_rate(distances, same, d) == pytest.approx(sum(genuine) / len(genuine))
        assert metrics.false_accept_rate(distances, same, d) == pytest.approx(sum(impostor) / len(impostor))


@pytest.mark.parametrize("far", [0.0, 0.01, 0.1, 0.5])
def test_the_threshold_at_a_far_is_the_largest_that_keeps_it(pairs: tuple[Distances, Same], far: float) -> None:
    distances, same = pairs

    d = metrics.threshold_at(distances, same, far)

    assert metrics.false_accept_rate(distances, same, d) <= far
    assert metrics.false_accept_rate(distances, same, float(np.nextafter(np.float32(d), np.float32(5)))) > far


def test_three_of_three_thousand_are_one_in_a_thousand() -> None:
    distances = np.linspace(0, 1, 3000, dtype=np.float32)
    same = np.zeros(3000, bool)

    d = metrics.threshold_at(distances, same, 1e-3)

    assert np.sum(distances < d) == 3


def test_no_threshold_decides_more_pairs_rightly_than_the_best(pairs: tuple[Distances, Same]) -> None:
    distances, same = pairs

    best = metrics.accuracy(distances, same, metrics.best_threshold(distances, same))

    candidates = [*distances.tolist(), *(distances + 1e-4).tolist(), -1.0, 5.0]
    assert best == max(metrics.accuracy(distances, same, d) for d in candidates)


def test_the_threshold_at_a_far_leaves_the_distances_as_they_were(pairs: tuple[Distances, Same]) -> None:
    distances, same = pairs
    before = distances.copy()

    metrics.threshold_at(distances, same, 1e-3)

    assert np.array_equal(distances, before)


@pytest.mark.parametrize(("d", "rounded"), [(1.2999999, 1.299), (1.3, 1.3), (1.27049, 1.27), (0.0009, 0.0)])
def test_a_threshold_is_rounded_down_so_that_its_rate_is_kept(d: float, rounded: float) -> None:
    assert metrics.rounded_down(d) == rounded


@pytest.mark.parametrize("kind", [True, False])
def test_the_best_threshold_for_one_kind_accepts_all_or_nothing(kind: bool) -> None:  # noqa: FBT001  # a parameter of the test
    distances = np.array([0.5, 1.0, 1.5], np.float32)
    same = np.full(3, kind)

    assert metrics.accuracy(distances, same, metrics.best_threshold(distances, same)) == 1.0


def test_each_fold_is_decided_at_the_threshold_of_the_others(pairs: tuple[Distances, Same]) -> None:
    distances, same = pairs
    folds = np.arange(300) % 10

    found = metrics.cross_validate(distances, same, folds)

    for fold in range(10):
        others = [i for i in range(300) if folds[i] != fold]
        held_out = [i for i in range(300) if folds[i] == fold]
        d = metrics.best_threshold(distances[others], same[others])
        right = sum((distances[i] < d) == same[i] for i in held_out)
        assert found.thresholds[fold] == d
        assert found.accuracies[fold] == pytest.approx(right / 30)


def test_the_standard_error_is_of_the_mean() -> None:
    folds = metrics.CrossValidation(np.array([0.9, 1.0, 0.8]), np.zeros(3))

    assert folds.mean == pytest.approx(0.9)
    assert folds.standard_error == pytest.approx(0.1 / 3**0.5)


def test_the_curve_is_val_against_far_at_each_threshold(pairs: tuple[Distances, Same]) -> None:
    distances, same = pairs

    curve = metrics.roc(distances, same)

    assert (curve.far[0], curve.far[-1], curve.val[-1]) == (0.0, 1.0, 1.0)
    for d, far, val in zip(curve.thresholds, curve.far, curve.val, strict=True):
        assert far == pytest.approx(metrics.false_accept_rate(distances, same, d))
        assert val == pytest.approx(metrics.validation_rate(distances, same, d))


def test_a_mean_is_told_with_its_standard_error() -> None:
    mean = metrics.Mean.of([0.9, 1.0, 0.8])

    assert mean.value == pytest.approx(0.9)
    assert mean.standard_error == pytest.approx(0.1 / 3**0.5)
    assert mean.percent == "90.00 ± 5.77 %"


def test_no_threshold_has_a_smaller_sum_of_errors_than_the_balanced_one(pairs: tuple[Distances, Same]) -> None:
    distances, same = pairs

    def errors(d: float) -> float:
        return metrics.false_accept_rate(distances, same, d) + 1 - metrics.validation_rate(distances, same, d)

    d = metrics.balanced_threshold(distances, same)

    assert errors(d) == pytest.approx(min(errors(one) for one in [*distances.tolist(), *(distances + 1e-4).tolist()]))


def test_the_balance_does_not_move_when_there_are_more_strangers(pairs: tuple[Distances, Same]) -> None:
    distances, same = pairs
    more = [np.concatenate([one, *[one[~same]] * 9]) for one in (distances, same)]

    assert metrics.balanced_threshold(more[0], more[1]) == metrics.balanced_threshold(distances, same)


@pytest.mark.parametrize("kind", [True, False])
def test_one_kind_alone_has_no_balance(kind: bool) -> None:  # noqa: FBT001  # a parameter of the test
    with pytest.raises(ValueError, match="a balance needs"):
        metrics.balanced_threshold(np.array([0.5, 1.0], np.float32), np.full(2, kind))
