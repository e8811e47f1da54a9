from itertools import combinations

import numpy as np
import pytest

from models.evaluation.metrics.labelled_pairs import (
    CrossValidation,
    LabelledPairs,
    MeanWithError,
    all_pairs,
    cross_validate,
    round_down,
)
from service.domain.distances import FACENET_THRESHOLD_SQ_L2, squared_l2, unit


@pytest.fixture(params=range(5))
def pairs(request: pytest.FixtureRequest) -> LabelledPairs:
    rng = np.random.default_rng(request.param)
    same = rng.random(300) < 0.5
    return LabelledPairs(rng.normal(np.where(same, 1.0, 1.7), 0.3).clip(0, 4).astype(np.float32), same)


def test_val_and_far_are_the_shares_of_accepted_pairs(pairs: LabelledPairs) -> None:
    for d in (0.0, 0.9, FACENET_THRESHOLD_SQ_L2, 4.0):
        mated = [distance < d for distance, same in zip(pairs.distances, pairs.same, strict=True) if same]
        non_mated = [distance < d for distance, same in zip(pairs.distances, pairs.same, strict=True) if not same]
        assert pairs.validation_rate(d) == pytest.approx(sum(mated) / len(mated))
        assert pairs.false_match_rate(d) == pytest.approx(sum(non_mated) / len(non_mated))


@pytest.mark.parametrize("fmr", [0.0, 0.01, 0.1, 0.5])
def test_the_threshold_at_an_fmr_is_the_largest_that_keeps_the_fmr(pairs: LabelledPairs, fmr: float) -> None:
    d = pairs.threshold_at_fmr(fmr)

    assert pairs.false_match_rate(d) <= fmr
    assert pairs.false_match_rate(float(np.nextafter(np.float32(d), np.float32(5)))) > fmr


def test_at_a_far_of_one_in_a_thousand_three_of_three_thousand_pairs_are_accepted() -> None:
    pairs = LabelledPairs(np.linspace(0, 1, 3000, dtype=np.float32), np.zeros(3000, bool))

    d = pairs.threshold_at_fmr()

    assert np.sum(pairs.distances < d) == 3


def test_val_at_a_far_is_val_at_the_threshold_of_the_far(pairs: LabelledPairs) -> None:
    assert pairs.val_at_fmr(0.1) == pairs.validation_rate(pairs.threshold_at_fmr(0.1))


def test_no_threshold_decides_more_pairs_correctly_than_the_best(pairs: LabelledPairs) -> None:
    best = pairs.accuracy(pairs.best_threshold())

    candidates = [*pairs.distances.tolist(), *(pairs.distances + 1e-4).tolist(), -1.0, 5.0]
    assert best == max(pairs.accuracy(d) for d in candidates)


def test_the_threshold_at_a_far_does_not_change_the_distances(pairs: LabelledPairs) -> None:
    before = pairs.distances.copy()

    pairs.threshold_at_fmr()

    assert np.array_equal(pairs.distances, before)


@pytest.mark.parametrize(("d", "rounded"), [(1.2999999, 1.299), (1.3, 1.3), (1.27049, 1.27), (0.0009, 0.0)])
def test_a_threshold_is_rounded_down_to_three_digits(d: float, rounded: float) -> None:
    assert round_down(d) == rounded


@pytest.mark.parametrize("same", [True, False])
def test_the_best_threshold_of_pairs_of_one_kind_accepts_all_or_none(same: bool) -> None:  # noqa: FBT001  # a parameter of the test
    pairs = LabelledPairs(np.array([0.5, 1.0, 1.5], np.float32), np.full(3, same))

    assert pairs.accuracy(pairs.best_threshold()) == 1.0


def test_each_fold_is_decided_at_the_best_threshold_of_the_others(pairs: LabelledPairs) -> None:
    folds = np.arange(300) % 10

    result = cross_validate(pairs, folds)

    for fold in range(10):
        others = [row for row in range(300) if folds[row] != fold]
        in_fold = [row for row in range(300) if folds[row] == fold]
        d = LabelledPairs(pairs.distances[others], pairs.same[others]).best_threshold()
        correct = sum((pairs.distances[row] < d) == pairs.same[row] for row in in_fold)
        assert result.thresholds[fold] == d
        assert result.accuracies[fold] == pytest.approx(correct / 30)


def test_the_accuracy_is_the_mean_over_the_folds_with_its_standard_error() -> None:
    folds = CrossValidation(np.array([0.9, 1.0, 0.8]), np.zeros(3))

    assert folds.accuracy.value == pytest.approx(0.9)
    assert folds.accuracy.standard_error == pytest.approx(0.1 / 3**0.5)


def test_the_roc_curve_is_val_and_far_at_each_threshold(pairs: LabelledPairs) -> None:
    curve = pairs.roc()

    assert (curve.fmr[0], curve.fmr[-1], curve.val[-1]) == (0.0, 1.0, 1.0)
    for d, fmr, val in zip(curve.thresholds, curve.fmr, curve.val, strict=True):
        assert fmr == pytest.approx(pairs.false_match_rate(d))
        assert val == pytest.approx(pairs.validation_rate(d))


def test_a_mean_is_shown_in_percent_with_its_standard_error() -> None:
    mean = MeanWithError.from_values([0.9, 1.0, 0.8])

    assert mean.value == pytest.approx(0.9)
    assert mean.standard_error == pytest.approx(0.1 / 3**0.5)
    assert mean.as_percent == "90.00 ± 5.77 %"


def test_no_threshold_has_a_smaller_sum_of_error_rates_than_the_balanced_one(pairs: LabelledPairs) -> None:
    def error_sum(d: float) -> float:
        return pairs.false_match_rate(d) + 1 - pairs.validation_rate(d)

    d = pairs.balanced_threshold()

    candidates = [*pairs.distances.tolist(), *(pairs.distances + 1e-4).tolist()]
    assert error_sum(d) == pytest.approx(min(error_sum(candidate) for candidate in candidates))


def test_the_balanced_threshold_does_not_depend_on_the_number_of_non_mated_pairs(pairs: LabelledPairs) -> None:
    rows = np.arange(pairs.same.size)
    more = pairs.select(np.concatenate([rows, *[rows[~pairs.same]] * 9]))

    assert more.balanced_threshold() == pairs.balanced_threshold()


@pytest.mark.parametrize("same", [True, False])
def test_a_balanced_threshold_needs_mated_and_non_mated_pairs(same: bool) -> None:  # noqa: FBT001  # a parameter of the test
    with pytest.raises(ValueError, match="the balanced threshold needs mated pairs and non-mated pairs"):
        LabelledPairs(np.array([0.5, 1.0], np.float32), np.full(2, same)).balanced_threshold()


def test_an_error_rate_has_fmr_fnmr_and_the_numbers_of_pairs(pairs: LabelledPairs) -> None:
    rate = pairs.error_rate(1.3, "faces")

    assert (rate.threshold_sq_l2, rate.measured_on) == (1.3, "faces")
    assert rate.fmr == pairs.false_match_rate(1.3)
    assert rate.fnmr == 1 - pairs.validation_rate(1.3)
    assert (rate.mated_pairs, rate.non_mated_pairs) == (pairs.same.sum(), (~pairs.same).sum())


def test_all_pairs_compares_every_pair_of_rows_once() -> None:
    rng = np.random.default_rng(0)
    embeddings, people = unit(rng.normal(size=(12, 16)).astype(np.float32)), np.repeat(np.arange(4), 3)

    pairs = all_pairs(embeddings, people)

    expected = [
        (squared_l2(embeddings[[i]], embeddings[[j]])[0, 0], people[i] == people[j])
        for i, j in combinations(range(12), 2)
    ]
    assert pairs.distances == pytest.approx([distance for distance, _ in expected], abs=1e-6)
    assert pairs.same.tolist() == [same for _, same in expected]


@pytest.mark.parametrize(("non_mated", "text"), [(400, "not measured: 400 pairs of two people"), (1000, "100.00 %")])
def test_val_is_not_printed_at_an_fmr_below_that_of_one_pair(non_mated: int, text: str) -> None:
    same = np.arange(non_mated + 400) < 400
    pairs = LabelledPairs(np.where(same, 0.5, 1.5).astype(np.float32), same)

    assert pairs.val_text(1e-3) == text
