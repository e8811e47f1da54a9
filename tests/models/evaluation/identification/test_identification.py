import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.errors import DatasetError
from models.evaluation.data.identities import list_identities
from models.evaluation.identification.open_set import OpenSet, Searches, embed_open_set
from models.evaluation.identification.promises import measure_promises
from models.evaluation.identification.report import IdentificationReport, measure_identification
from models.evaluation.identification.two_names import read_two_names
from models.evaluation.reports.report import to_png
from service.domain.distances import unit
from service.model_files.calibration import Calibration, RatesAtThreshold
from service.pipeline.opening import PipelineOptions

LIST_OF_LFW = Path(__file__).parents[4] / "models" / "evaluation" / "identification" / "lfw_two_names.toml"
ENROLLED, STRANGERS, PROBES = 60, 300, 3

CALIBRATION = Calibration(
    people=100,
    non_mated_pairs=100,
    mated_pairs=100,
    measured_on="made-up people",
    rates=tuple(
        RatesAtThreshold(threshold_sq_l2=d, fmr=fmr, fmr_interval=(fmr, fmr), fnmr=0.0, fnmr_interval=(0.0, 0.0))
        for d, fmr in ((0.6, 1e-4), (1.2, 1e-2), (1.8, 0.3))
    ),
)


@pytest.fixture(scope="module")
def faces() -> OpenSet:
    """Return 60 people with 4 photographs, and 300 strangers. The first two strangers are enrolled: they are copies."""
    rng = np.random.default_rng(0)
    people = np.sort([*np.repeat(np.arange(ENROLLED), PROBES + 1), *range(ENROLLED, ENROLLED + STRANGERS)])
    centres = unit(rng.normal(size=(ENROLLED + STRANGERS, 16)).astype(np.float32))
    embeddings = unit((centres[people] + 0.15 * rng.normal(size=(len(people), 16))).astype(np.float32))
    first_stranger = ENROLLED * (PROBES + 1)
    embeddings[first_stranger : first_stranger + 2] = embeddings[[0, 4]]
    return OpenSet.of(embeddings, people, [ENROLLED, ENROLLED + 1])


@pytest.fixture(scope="module")
def report(faces: OpenSet) -> IdentificationReport:
    return measure_identification("tiny", faces, CALIBRATION)


def _known() -> Searches:
    """Return four probes of two people, and four strangers."""
    return Searches(
        right=np.array([True, True, True, False]),
        distances=np.array([0.2, 0.6, 1.1, 0.1], np.float32),
        owners=np.array([0, 0, 1, 1]),
        strangers=np.array([0.5, 0.9, 1.2, 1.4], np.float32),
    )


def test_a_probe_is_not_identified_if_another_person_is_nearer_or_the_distance_is_too_large() -> None:
    searches = _known()
    assert searches.rank_1 == 0.75
    assert searches.fnir(2.0) == 0.25
    assert searches.fnir(1.0) == 0.5
    assert searches.fpir(1.0) == 0.5


def test_the_threshold_is_the_largest_with_the_fpir() -> None:
    searches = _known()
    assert searches.threshold_at_fpir(0.25) == pytest.approx(0.9)
    assert searches.fpir(searches.threshold_at_fpir(0.25)) == 0.25
    assert searches.fnir_at_fpir(0.25) == 0.5


def test_an_fpir_of_less_than_one_stranger_is_not_measured() -> None:
    assert _known().measures(0.25)
    assert not _known().measures(0.24)


def test_the_first_photograph_is_enrolled_the_others_are_probes_and_people_with_one_are_strangers(
    faces: OpenSet,
) -> None:
    assert (len(faces.references), len(faces.probes), len(faces.strangers)) == (60, 180, 300)
    assert faces.owners.tolist() == np.repeat(np.arange(ENROLLED), PROBES).tolist()
    assert np.flatnonzero(faces.aside).tolist() == [0, 1]
    nearest = faces.search_everybody()
    assert nearest.rank_1 > 0.9
    assert nearest.strangers[:2] == pytest.approx(0, abs=1e-5)


def test_only_the_probes_of_enrolled_people_are_searched(faces: OpenSet) -> None:
    searches = faces.search(np.array([3, 7]))
    assert set(searches.owners.tolist()) == {3, 7}
    assert len(searches.strangers) == STRANGERS


def test_strangers_who_are_enrolled_under_another_name_are_set_aside(
    report: IdentificationReport, faces: OpenSet
) -> None:
    assert (report.aside, len(report.searches.strangers)) == (2, STRANGERS - 2)
    everybody = faces.search_everybody()
    for rate in report.rates:
        assert rate.fnir == report.searches.fnir_at_fpir(rate.fpir)
        assert rate.everybody == everybody.fnir_at_fpir(rate.fpir) >= rate.fnir


def test_the_interval_is_around_the_measured_rate_and_the_same_in_every_call(report: IdentificationReport) -> None:
    for rate in report.rates:
        low, high = rate.interval
        assert low <= rate.fnir <= high
        assert low < high
    assert report.searches.interval(lambda drawn: drawn.rank_1) == report.rank_1_interval


def test_the_report_has_only_the_rates_for_which_there_are_enough_strangers(report: IdentificationReport) -> None:
    assert [rate.fpir for rate in report.rates] == [0.1, 0.01]


def test_the_promised_thresholds_are_those_of_the_calibration(faces: OpenSet) -> None:
    promises = list(measure_promises(CALIBRATION, faces, (0.1, 1e-5)))
    assert [(one.references, one.promised_fpir) for one in promises] == [(10, 0.1), (10, 1e-5), (60, 0.1), (60, 1e-5)]
    small, beyond, everybody, _ = promises
    assert small.threshold_sq_l2 == CALIBRATION.threshold_at_fpir(0.1, 10)
    assert beyond.threshold_sq_l2 is beyond.fpir is beyond.fnir is None
    searches = faces.search_everybody().without(faces.aside)
    assert everybody.threshold_sq_l2 is not None
    assert everybody.fpir == everybody.highest_fpir == searches.fpir(everybody.threshold_sq_l2)


def test_the_curve_begins_at_one_stranger(report: IdentificationReport) -> None:
    numbers = json.loads(json.dumps(report.numbers(), allow_nan=False))
    assert numbers["det"]["fpir"][0] == pytest.approx(1 / (STRANGERS - 2))
    assert numbers["det"]["fpir"][-1] == 1.0
    assert numbers["det"]["fnir"] == sorted(numbers["det"]["fnir"], reverse=True)


@pytest.mark.parametrize("calibration", [CALIBRATION, None])
def test_the_report_is_a_table_and_a_picture_that_name_the_model(
    faces: OpenSet, calibration: Calibration | None
) -> None:
    report = measure_identification("tiny", faces, calibration)
    header = report.rows()[0]
    assert header[0] == "tiny: 60 references, 180 probes, 298 strangers (2 set aside)"
    assert {len(row) for row in report.rows()} == {5}
    assert bool(report.promises) == (calibration is not None)
    assert to_png(report.draw()).startswith(b"\x89PNG")


def test_an_open_set_needs_people_with_two_photographs_and_people_with_one() -> None:
    for people in (np.arange(4), np.repeat(np.arange(2), 2)):
        with pytest.raises(DatasetError, match="An open set needs people with two photographs"):
            OpenSet.of(np.ones((4, 2), np.float32), people, [])


def test_a_list_for_another_folder_is_refused_before_a_photograph_is_embedded(
    options: PipelineOptions, photographs: Path
) -> None:
    embedded: list[None] = []
    with pytest.raises(DatasetError, match="Nobody_Here is to be set aside, and has no photograph"):
        embed_open_set(options, list_identities(photographs), {"Nobody_Here"}, lambda: embedded.append(None))
    assert not embedded


def test_the_list_for_lfw_has_eight_people_and_says_why() -> None:
    people = read_two_names(LIST_OF_LFW)
    assert len({person.alone for person in people}) == 8
    assert not {person.alone for person in people} & {person.enrolled for person in people}
    assert all(person.distance_sq_l2 < 0.72 for person in people)


@pytest.mark.parametrize("text", ["[[people]]\nalone = 'A'\n", "not toml", ""])
def test_a_list_of_another_form_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "list.toml").write_text(text, "utf-8")
    with pytest.raises(DatasetError, match="is not a list of people under two names"):
        read_two_names(tmp_path / "list.toml")
    with pytest.raises(DatasetError, match="No such file"):
        read_two_names(tmp_path / "absent.toml")


def test_without_anybody_set_aside_the_rates_are_those_of_all_strangers(faces: OpenSet) -> None:
    nobody = replace(faces, aside=np.zeros(STRANGERS, bool))
    report = measure_identification("tiny", nobody, None)
    assert all(rate.fnir == rate.everybody for rate in report.rates)
    assert not any("set aside" in row[0] for row in report.rows()[1:])
