import pytest

from service.decisions.error_rates.thresholds import (
    ExpectedFpir,
    GivenThreshold,
    MaxRate,
    fpir_at,
    identification_threshold,
    rates_at,
    requested_threshold,
    verification_threshold,
)
from service.decisions.model_comparison import ModelComparison
from service.domain.errors import InvalidOption, RateNotMeasured
from service.model_files.calibration import Calibration
from service.model_files.card import IdentificationThreshold, Thresholds
from tests.support.calibrations import calibration_fields

CALIBRATION = Calibration.model_validate(calibration_fields())
FOR_1000 = IdentificationThreshold(threshold_sq_l2=1.15, fpir=0.01, references=1000)
CALIBRATED = ModelComparison(Thresholds(identification=FOR_1000), CALIBRATION, None)
UNCALIBRATED = ModelComparison(Thresholds(identification=FOR_1000), None, None)


def test_the_threshold_of_the_caller_is_used_as_it_is() -> None:
    assert verification_threshold(CALIBRATED, GivenThreshold(0.3)) == 0.3
    assert identification_threshold(CALIBRATED, GivenThreshold(3.9), 5) == 3.9


def test_a_verification_at_a_rate_uses_the_threshold_of_this_fmr() -> None:
    assert verification_threshold(CALIBRATED, MaxRate(1e-4)) == pytest.approx(1.2)


def test_a_verification_without_options_uses_the_threshold_of_the_card() -> None:
    assert verification_threshold(CALIBRATED, None) == 1.242


def test_an_identification_without_options_has_an_fpir_of_one_percent() -> None:
    threshold = identification_threshold(CALIBRATED, None, 500)
    assert CALIBRATION.fpir(threshold, 500) == pytest.approx(0.01)


@pytest.mark.parametrize("references", [0, 1, 2])
def test_in_a_small_gallery_the_threshold_is_not_above_that_of_a_verification(references: int) -> None:
    assert identification_threshold(CALIBRATED, None, references) == 1.242


def test_in_a_small_gallery_a_caller_who_asks_for_a_rate_gets_the_threshold_of_this_rate() -> None:
    assert identification_threshold(CALIBRATED, MaxRate(0.1), 1) == pytest.approx(1.5, abs=0.05)


def test_a_gallery_beyond_the_calibration_gets_the_lowest_known_threshold() -> None:
    assert identification_threshold(CALIBRATED, None, 10**6) == 1.0


def test_a_rate_beyond_the_calibration_is_refused_if_the_caller_asks_for_it() -> None:
    with pytest.raises(RateNotMeasured):
        identification_threshold(CALIBRATED, MaxRate(0.01), 10**6)
    with pytest.raises(RateNotMeasured):
        verification_threshold(CALIBRATED, MaxRate(1e-12))


def test_without_a_calibration_the_threshold_of_the_card_is_used_and_no_rate_is_known() -> None:
    assert identification_threshold(UNCALIBRATED, None, 10) == 1.15
    rates, expected = rates_at(UNCALIBRATED, 1.242), fpir_at(UNCALIBRATED, 1.15, 10)
    assert (rates.fmr, rates.fnmr, expected.fpir) == (None, None, None)
    assert rates.missing == expected.missing
    assert "no calibration" in str(rates.missing)


def test_without_a_calibration_a_rate_is_refused() -> None:
    with pytest.raises(RateNotMeasured, match="Pass a threshold"):
        verification_threshold(UNCALIBRATED, MaxRate(0.01))
    with pytest.raises(RateNotMeasured, match="Pass a threshold"):
        identification_threshold(UNCALIBRATED, MaxRate(0.01), 10)


def test_without_any_threshold_the_caller_has_to_give_one() -> None:
    with pytest.raises(InvalidOption, match="threshold"):
        identification_threshold(ModelComparison(Thresholds(), None, None), None, 10)


def test_outside_of_the_table_the_rates_are_missing_and_the_reason_says_on_which_side() -> None:
    assert "below 1, the lowest" in str(rates_at(CALIBRATED, 0.5).missing)
    assert "above 1.5, the highest" in str(fpir_at(CALIBRATED, 1.6, 10).missing)


def test_inside_the_table_nothing_is_missing() -> None:
    rates = rates_at(CALIBRATED, 1.2)
    assert rates.missing is None
    assert rates.fmr == pytest.approx(1e-4)
    assert fpir_at(CALIBRATED, 1.2, 10).missing is None


def test_in_an_empty_gallery_nobody_gets_a_match() -> None:
    assert fpir_at(CALIBRATED, 0.1, 0) == fpir_at(UNCALIBRATED, 0.1, 0) == ExpectedFpir(0.0, None)


def test_in_an_empty_gallery_every_rate_can_be_asked_for() -> None:
    assert identification_threshold(CALIBRATED, MaxRate(1e-12), 0) == 1.0


def test_a_threshold_and_a_rate_together_are_refused() -> None:
    with pytest.raises(InvalidOption, match="max_fmr"):
        requested_threshold(1.0, 0.01, "max_fmr")
    assert requested_threshold(None, None, "max_fmr") is None
