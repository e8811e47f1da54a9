import pytest

from service.decisions.error_rates.advice import advise_fmr, advise_fpir
from service.domain.errors import RateNotMeasured
from service.model_files.card import EmbedderCard
from tests.support.calibrations import calibration_fields

FIELDS = {
    "name": "new",
    "id": "b" * 64,
    "architecture": "none",
    "licence": "none",
    "training": "none",
    "dimension": 4,
    "alignment": {"kind": "five_point", "view": [0, 0, 112, 112], "height": 16, "width": 16},
}
CARD = EmbedderCard.model_validate({**FIELDS, "calibration": calibration_fields()})


def test_the_advice_for_an_fmr_has_the_threshold_and_the_miss_rate_that_it_costs() -> None:
    text = "\n".join(advise_fmr(CARD, 3e-4))
    assert "threshold 1.247" in text
    assert "(FMR)" in text
    assert "37.6 % of comparisons (FNMR)" in text
    assert "max_fmr=0.0003" in text


def test_the_advice_for_an_fpir_is_for_the_number_of_enrolled_faces() -> None:
    assert CARD.calibration is not None
    text = "\n".join(advise_fpir(CARD, 0.01, 250, 2))
    assert f"threshold {CARD.calibration.threshold_at_fpir(0.01, 500):.3f}"[:13] in text
    assert "Enrolled people: 250. Photographs of each: 2. Enrolled faces: 500." in text
    assert "max_fpir=0.01" in text


def test_a_rate_that_was_not_measured_has_no_advice() -> None:
    with pytest.raises(RateNotMeasured):
        list(advise_fmr(CARD, 1e-9))
    with pytest.raises(RateNotMeasured):
        list(advise_fpir(CARD, 0.01, 10**7))


def test_a_card_without_a_calibration_has_no_advice() -> None:
    with pytest.raises(RateNotMeasured, match="facenet-models calibrate"):
        list(advise_fmr(EmbedderCard.model_validate(FIELDS), 0.01))
