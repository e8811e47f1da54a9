import math

import numpy as np
import pytest

from models.evaluation.experiments.roc import ModelCurves, measure_curve
from models.evaluation.metrics.labelled_pairs import LabelledPairs
from models.evaluation.reports.report import to_png

pytestmark = pytest.mark.slow


def _pairs(non_mated: int = 5000) -> LabelledPairs:
    rng = np.random.default_rng(0)
    same = np.arange(non_mated + 500) < 500
    return LabelledPairs(rng.normal(np.where(same, 1.0, 1.7), 0.3).clip(0, 4).astype(np.float32), same)


def test_the_curve_is_val_at_the_threshold_of_each_fmr() -> None:
    pairs = _pairs()

    curve = measure_curve("fine", pairs)

    assert (curve.fmr[0], curve.fmr[-1], curve.val[-1]) == (1 / 5000, 1.0, 1.0)
    for fmr, val in zip(curve.fmr[:-1], curve.val[:-1], strict=True):
        assert val == pytest.approx(pairs.val_at_fmr(fmr))


def test_an_fmr_below_one_non_mated_pair_has_no_val() -> None:
    curve = measure_curve("fine", _pairs(5000))

    assert curve.val_at(1e-4) is None
    assert curve.val_at(1e-3) == _pairs().val_at_fmr(1e-3)


def test_each_val_has_its_threshold_beside_it() -> None:
    pairs = _pairs()
    curve = measure_curve("fine", pairs)

    for fmr, val, threshold in zip(curve.fmr, curve.val, curve.thresholds, strict=True):
        assert pairs.validation_rate(threshold) == pytest.approx(val)
        assert pairs.false_match_rate(threshold) <= fmr + 1e-12
    assert curve.threshold_at(1e-4) is None
    assert (
        curve.cell(1e-3)
        == f"{100 * pairs.val_at_fmr():.2f} % at {math.floor(1000 * pairs.threshold_at_fmr()) / 1000:.3f}"
    )


def test_several_models_are_in_one_table_and_one_picture() -> None:
    curves = ModelCurves((measure_curve("fine", _pairs()), measure_curve("coarse", _pairs(100))))

    assert curves.rows()[0] == ("VAL at FMR, and its threshold", "1e-05", "0.0001", "0.001", "0.01", "0.1")
    assert curves.rows()[2][:4] == ("coarse", "", "", "")
    numbers = curves.numbers()["curves"]
    assert isinstance(numbers, list)
    assert [curve["model"] for curve in numbers] == ["fine", "coarse"]
    assert [len(curve["threshold_sq_l2"]) == len(curve["val"]) for curve in numbers] == [True, True]
    assert to_png(curves.draw()).startswith(b"\x89PNG")
