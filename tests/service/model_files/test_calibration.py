import numpy as np
import pytest
from pydantic import ValidationError

from service.domain.errors import RateNotMeasured
from service.model_files.calibration import FALSE_MATCH_FACTOR, Calibration
from tests.support.calibrations import calibration_fields

CALIBRATION = Calibration.model_validate(calibration_fields())


def test_the_rates_at_a_row_are_those_of_the_row() -> None:
    assert CALIBRATION.fmr(1.2) == pytest.approx(1e-4)
    assert CALIBRATION.fnmr(1.2) == pytest.approx(0.4)


def test_between_two_rows_the_fmr_rises_by_a_constant_factor() -> None:
    assert CALIBRATION.fmr(1.25) == pytest.approx(1e-4 * 10**0.5)


@pytest.mark.parametrize("threshold_sq_l2", [0.0, 0.999, 1.501, 4.0])
def test_outside_of_the_table_no_rate_is_known(threshold_sq_l2: float) -> None:
    assert CALIBRATION.fmr(threshold_sq_l2) is None
    assert CALIBRATION.fnmr(threshold_sq_l2) is None
    assert CALIBRATION.fpir(threshold_sq_l2, 10) is None


@pytest.mark.parametrize("fmr", [1e-6, 3e-6, 1e-4, 0.02, 0.1])
def test_the_fmr_at_the_threshold_of_an_fmr_is_that_fmr(fmr: float) -> None:
    assert CALIBRATION.fmr(CALIBRATION.threshold_at_fmr(fmr)) == pytest.approx(fmr)


@pytest.mark.parametrize("fmr", [1e-12, 9e-7, 0.11, 0.999])
def test_the_threshold_of_an_fmr_outside_of_the_table_is_an_error(fmr: float) -> None:
    with pytest.raises(RateNotMeasured, match=r"1e-06 to 0\.1"):
        CALIBRATION.threshold_at_fmr(fmr)


@pytest.mark.parametrize("pairs", [2, 3, 50])
@pytest.mark.parametrize("fmr", [1e-4, 0.02, 0.1])
def test_the_fmr_of_several_pairs_is_the_chance_that_at_least_one_matches(fmr: float, pairs: int) -> None:
    threshold = CALIBRATION.threshold_at_fmr(fmr, pairs)
    of_one = CALIBRATION.fmr(threshold)
    assert of_one is not None
    assert 1 - (1 - of_one) ** pairs == pytest.approx(fmr)
    assert CALIBRATION.fmr(threshold, pairs) == pytest.approx(fmr)


def test_a_rate_that_cannot_be_reached_with_several_pairs_is_an_error_that_names_the_lowest_one() -> None:
    with pytest.raises(RateNotMeasured, match=r"from FMR 3e-06 to 0\.27 if the nearest of 3 pairs"):
        CALIBRATION.threshold_at_fmr(2e-6, 3)
    assert CALIBRATION.threshold_at_fmr(3e-6, 3) == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("references", [1, 10, 1000])
@pytest.mark.parametrize("fpir", [0.01, 0.1])
def test_the_fpir_at_the_threshold_of_an_fpir_is_that_fpir(references: int, fpir: float) -> None:
    threshold = CALIBRATION.threshold_at_fpir(fpir, references)
    assert CALIBRATION.fpir(threshold, references) == pytest.approx(fpir)


def test_the_fpir_is_the_chance_of_a_match_in_independent_comparisons_with_people_who_are_alike() -> None:
    assert CALIBRATION.fpir(1.3, 50) == pytest.approx(1 - (1 - FALSE_MATCH_FACTOR * 1e-3) ** 50)


def test_a_larger_gallery_needs_a_lower_threshold() -> None:
    thresholds = [CALIBRATION.threshold_at_fpir(0.01, references) for references in (1, 10, 100, 1000)]
    assert np.all(np.diff(thresholds) < 0)


def test_a_gallery_that_is_too_large_for_the_rate_is_an_error_that_names_the_lowest_rate() -> None:
    with pytest.raises(RateNotMeasured, match=r"0\.19 or more"):
        CALIBRATION.threshold_at_fpir(0.01, 100_000)
    assert CALIBRATION.fpir(1.0, 100_000) == pytest.approx(0.18, abs=0.005)


def test_a_gallery_of_no_face_has_the_threshold_of_one_face() -> None:
    assert CALIBRATION.threshold_at_fpir(0.01, 0) == CALIBRATION.threshold_at_fpir(0.01, 1)


def test_a_table_whose_rows_are_not_in_order_is_refused() -> None:
    fields = calibration_fields()
    fields["rates"].reverse()
    with pytest.raises(ValidationError, match="order of their thresholds"):
        Calibration.model_validate(fields)


def test_the_fpir_is_1_where_every_stranger_matches() -> None:
    certain = Calibration.model_validate(calibration_fields(lowest_fmr=0.005, rows=3))
    assert certain.fpir(1.2, 3) == 1.0
    assert certain.fpir(1.2, 0) == 0.0


@pytest.mark.parametrize("references", [0, 1, 7, 100, 33_333, 100_000])
def test_the_lowest_fpir_can_be_asked_for(references: int) -> None:
    lowest = CALIBRATION.lowest_fpir(references)
    assert CALIBRATION.threshold_at_fpir(lowest, references) == pytest.approx(1.0, abs=0.01)
    with pytest.raises(RateNotMeasured, match=f"Ask for {lowest:g} or more, or enrol fewer faces"):
        CALIBRATION.threshold_at_fpir(0.89 * lowest, references)


def test_the_lowest_fpir_is_1_if_every_stranger_can_match() -> None:
    assert Calibration.model_validate(calibration_fields(lowest_fmr=0.01, rows=2)).lowest_fpir(10_000) == 1


@pytest.mark.parametrize("references", [1, 2])
def test_an_fpir_above_the_table_is_an_error_that_names_one_that_can_be_asked_for(references: int) -> None:
    with pytest.raises(RateNotMeasured, match="or less") as raised:
        CALIBRATION.threshold_at_fpir(0.9, references)
    highest = float(str(raised.value).split("Ask for ")[1].split()[0])
    assert CALIBRATION.threshold_at_fpir(highest, references) == pytest.approx(1.5, abs=0.02)


def test_if_no_fpir_can_be_asked_for_the_refusal_does_not_suggest_one() -> None:
    with pytest.raises(RateNotMeasured, match="No FPIR can be asked for"):
        CALIBRATION.threshold_at_fpir(0.01, 10**9)
