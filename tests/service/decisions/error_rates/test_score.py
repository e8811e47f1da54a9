import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.decisions.error_rates.score import ScoreScale
from service.model_files.calibration import Calibration
from service.model_files.catalogue import CATALOGUE
from tests.support.calibrations import calibration_fields

MODELS = tomllib.loads(CATALOGUE.read_text("utf-8"))["models"]
OF_MODELS = {
    name: Calibration.model_validate(fields["calibration"]) if "calibration" in fields else None
    for name, fields in MODELS.items()
    if fields["role"] == "embedder"
}
CALIBRATION = Calibration.model_validate(calibration_fields())
FLAT = calibration_fields(rows=2)
FLAT["rates"][1]["fmr"] = FLAT["rates"][0]["fmr"]
CALIBRATIONS = [*OF_MODELS.values(), CALIBRATION, Calibration.model_validate(FLAT), None]
DISTANCES = st.floats(0, 4)

every_calibration = pytest.mark.parametrize("calibration", CALIBRATIONS)


@every_calibration
@given(threshold=DISTANCES, distances=st.tuples(DISTANCES, DISTANCES))
def test_a_smaller_distance_never_has_a_lower_score(
    calibration: Calibration | None, threshold: float, distances: tuple[float, float]
) -> None:
    near, far = sorted(distances)
    scale = ScoreScale(threshold, calibration)
    assert 0 <= scale.score(far) <= scale.score(near) + 1e-9 <= 100 + 1e-9


@every_calibration
@pytest.mark.parametrize("threshold", [0.0, 1e-300, 0.7, 1.0, 1.242, 1.9, 4.0])
def test_the_score_of_the_threshold_is_50(calibration: Calibration | None, threshold: float) -> None:
    assert ScoreScale(threshold, calibration).score(threshold) == 50


@every_calibration
@pytest.mark.parametrize("threshold", [0.0, 4.0])
@pytest.mark.parametrize("distance", [0.0, 2.0, 4.0])
def test_at_the_least_and_the_greatest_threshold_every_distance_has_a_score(
    calibration: Calibration | None, threshold: float, distance: float
) -> None:
    score = ScoreScale(threshold, calibration).score(distance)
    assert 0 <= score <= 50 if threshold == 0 else 50 <= score <= 100


def test_ten_points_more_are_a_tenth_of_the_false_matches() -> None:
    scale = ScoreScale(1.3, CALIBRATION)
    assert [round(scale.score(distance)) for distance in (1.0, 1.1, 1.2, 1.3, 1.4, 1.5)] == [80, 70, 60, 50, 40, 30]


@pytest.mark.parametrize("name", [name for name, calibration in OF_MODELS.items() if calibration])
def test_the_same_score_is_the_same_error_rate_with_every_model(name: str) -> None:
    calibration = OF_MODELS[name]
    assert calibration
    scale = ScoreScale(calibration.threshold_at_fmr(0.01), calibration)
    assert scale.score(calibration.threshold_at_fmr(0.001)) == pytest.approx(60)
    assert scale.score(calibration.threshold_at_fmr(0.1)) == pytest.approx(40)


def test_below_the_calibration_the_slope_of_its_first_tenfold_is_continued() -> None:
    scale = ScoreScale(1.0, CALIBRATION)
    assert [round(scale.score(distance)) for distance in (0.9, 0.6, 0.5, 0.1)] == [60, 90, 100, 100]


def test_above_the_calibration_the_score_falls_until_every_pair_matches() -> None:
    scale = ScoreScale(1.5, CALIBRATION)
    assert scale.score(4.0) == pytest.approx(40)
    assert scale.score(2.75) == pytest.approx(45)


def test_without_a_calibration_the_score_is_a_share_of_the_distance() -> None:
    scale = ScoreScale(1.2, None)
    assert [round(scale.score(distance)) for distance in (0.0, 0.6, 1.2, 2.6, 4.0)] == [100, 75, 50, 25, 0]
