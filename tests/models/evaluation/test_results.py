import tomllib

import numpy as np

from models.evaluation import results
from models.evaluation.verification import Split, Verification
from service.card import Compatible, ErrorRate, Identification, PairThresholds, Result


def _measured() -> Verification:
    distances = np.array([0.2, 0.4, 1.1, 1.3, 0.3, *np.linspace(1.2, 2, 999)], np.float32)
    return Verification.of([Split(distances, np.arange(1004) < 4)] * 5, 1_200, 50, 0)


def test_error_rates_are_at_the_model_s_threshold_at_facenet_s_and_at_the_rate_of_the_paper() -> None:
    rates = results.error_rates(_measured(), 1.35, "faces")

    assert [one.threshold_sq_l2 for one in rates] == [1.35, 1.242, 1.2]
    assert [(one.genuine_pairs, one.impostor_pairs) for one in rates] == [(20, 5_000)] * 3
    assert rates[0].fmr == round(_measured().whole.fmr(1.35), 6)
    assert rates[0].measured_on == "1,200 photographs of 50 people of faces"


def test_a_model_whose_threshold_is_facenet_s_has_it_once() -> None:
    rates = results.error_rates(_measured(), 1.242, "faces")

    assert [one.threshold_sq_l2 for one in rates] == [1.242, 1.2]


def test_the_threshold_of_a_rate_is_rounded_down_and_the_model_s_own_is_not() -> None:
    distances = np.array([1.0, 1.0, *np.linspace(1.2007, 2, 1000)], np.float32)
    measured = Verification.of([Split(distances, np.arange(1002) < 1)] * 5, 1_200, 50, 0)

    rates = results.error_rates(measured, 1.23456, "faces")

    assert [one.threshold_sq_l2 for one in rates] == [1.23456, 1.242, 1.2]
    assert rates[2].fmr <= 1e-3


def test_what_is_printed_is_what_a_card_holds() -> None:
    measured = results.result(_measured(), 'facenet-models evaluate verification "my faces"')
    rates = results.error_rates(_measured(), 1.242, "faces")

    table = tomllib.loads(results.toml("compact", measured, rates))["models"]["compact"]

    assert [Result.model_validate(one) for one in table["results"]] == [measured]
    assert tuple(ErrorRate.model_validate(one) for one in table["error_rates"]) == rates


def test_a_compatible_model_is_printed_as_a_card_holds_it() -> None:
    rate = ErrorRate(threshold_sq_l2=1.2, fmr=0.001, fnmr=0.1, impostor_pairs=9, genuine_pairs=9, measured_on="faces")
    other = Compatible(
        name="sface",
        id="0" * 64,
        thresholds=PairThresholds(
            verification=1.2,
            identification=Identification(threshold_sq_l2=1.0, fpir=0.01, references=1000),
            chosen_on='"faces", of 50 people',
        ),
        error_rates=(rate,),
    )

    table = tomllib.loads(results.entry("compact", "compatible_with", other))["models"]["compact"]

    assert [Compatible.model_validate(one) for one in table["compatible_with"]] == [other]
