import tomllib

import numpy as np

from models.evaluation.experiments.verification import Verification
from models.evaluation.metrics.labelled_pairs import LabelledPairs
from models.evaluation.reports.card_entries import card_toml, error_rates, toml_entry, val_result
from service.domain.distances import FACENET_THRESHOLD_SQ_L2
from service.model_files.card import (
    BenchmarkResult,
    CompatibleModel,
    ErrorRate,
    IdentificationThreshold,
    ThresholdsBetweenModels,
)


def _measured() -> Verification:
    distances = np.array([0.2, 0.4, 1.1, 1.3, 0.3, *np.linspace(1.2, 2, 999)], np.float32)
    return Verification.from_splits([LabelledPairs(distances, np.arange(1004) < 4)] * 5, 1_200, 50, 0)


def test_error_rates_are_at_the_threshold_of_the_card_at_facenets_and_at_fmr_one_in_a_thousand() -> None:
    rates = error_rates(_measured(), 1.35, "faces")

    assert [rate.threshold_sq_l2 for rate in rates] == [1.35, FACENET_THRESHOLD_SQ_L2, 1.2]
    assert [(rate.mated_pairs, rate.non_mated_pairs) for rate in rates] == [(20, 5_000)] * 3
    assert rates[0].fmr == round(_measured().pairs.false_match_rate(1.35), 6)
    assert rates[0].measured_on == "1,200 photographs of 50 people of faces"


def test_equal_thresholds_have_one_error_rate() -> None:
    rates = error_rates(_measured(), FACENET_THRESHOLD_SQ_L2, "faces")

    assert [rate.threshold_sq_l2 for rate in rates] == [FACENET_THRESHOLD_SQ_L2, 1.2]


def test_the_threshold_at_an_fmr_is_rounded_down_and_the_threshold_of_the_card_is_not() -> None:
    distances = np.array([1.0, 1.0, *np.linspace(1.2007, 2, 1000)], np.float32)
    measured = Verification.from_splits([LabelledPairs(distances, np.arange(1002) < 1)] * 5, 1_200, 50, 0)

    rates = error_rates(measured, 1.23456, "faces")

    assert [rate.threshold_sq_l2 for rate in rates] == [1.23456, FACENET_THRESHOLD_SQ_L2, 1.2]
    assert rates[2].fmr <= 1e-3


def test_the_toml_holds_the_entries_of_the_card() -> None:
    measured = val_result(_measured(), 'facenet-models evaluate verification "my faces"')
    rates = error_rates(_measured(), FACENET_THRESHOLD_SQ_L2, "faces")

    table = tomllib.loads(card_toml("compact", measured, rates))["models"]["compact"]

    assert [BenchmarkResult.model_validate(row) for row in table["results"]] == [measured]
    assert tuple(ErrorRate.model_validate(row) for row in table["error_rates"]) == rates


def test_the_toml_of_a_compatible_model_is_the_entry_of_the_card() -> None:
    rate = ErrorRate(threshold_sq_l2=1.2, fmr=0.001, fnmr=0.1, non_mated_pairs=9, mated_pairs=9, measured_on="faces")
    compatible = CompatibleModel(
        name="sface",
        id="0" * 64,
        thresholds=ThresholdsBetweenModels(
            verification=1.2,
            identification=IdentificationThreshold(threshold_sq_l2=1.0, fpir=0.01, references=1000),
            chosen_on='"faces", of 50 people',
        ),
        error_rates=(rate,),
    )

    table = tomllib.loads(toml_entry("compact", "compatible_with", compatible))["models"]["compact"]

    assert [CompatibleModel.model_validate(row) for row in table["compatible_with"]] == [compatible]
