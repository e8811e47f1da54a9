import numpy as np
import pytest

from models.evaluation import metrics
from models.evaluation.report import png
from models.evaluation.roc import Curves, curve
from models.evaluation.verification import Split


def _pairs(impostors: int = 5000) -> Split:
    rng = np.random.default_rng(0)
    same = np.arange(impostors + 500) < 500
    return Split(rng.normal(np.where(same, 1.0, 1.7), 0.3).clip(0, 4).astype(np.float32), same)


def test_the_curve_is_val_at_the_threshold_of_each_far() -> None:
    pairs = _pairs()

    found = curve("one", pairs)

    assert (found.far[0], found.far[-1], found.val[-1]) == (1 / 5000, 1.0, 1.0)
    for far, val in zip(found.far[:-1], found.val[:-1], strict=True):
        d = metrics.threshold_at(pairs.distances, pairs.same, far)
        assert val == pytest.approx(metrics.validation_rate(pairs.distances, pairs.same, d))


def test_a_rate_that_so_few_pairs_cannot_show_is_left_open() -> None:
    found = curve("one", _pairs(5000))

    assert found.at(1e-4) is None
    d = metrics.threshold_at(_pairs().distances, _pairs().same, 1e-3)
    assert found.at(1e-3) == metrics.validation_rate(_pairs().distances, _pairs().same, d)


def test_models_are_told_and_drawn_together() -> None:
    both = Curves((curve("fine", _pairs()), curve("coarse", _pairs(100))))

    assert both.rows()[0] == ("VAL at FMR", "1e-05", "0.0001", "0.001", "0.01", "0.1")
    assert both.rows()[2][:4] == ("coarse", "", "", "")
    figures = both.figures()["curves"]
    assert isinstance(figures, list)
    assert [one["model"] for one in figures] == ["fine", "coarse"]
    assert png(both.draw()).startswith(b"\x89PNG")
