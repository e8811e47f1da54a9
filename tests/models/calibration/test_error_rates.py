import numpy as np
import pytest

from models.calibration.error_rates import find_alike, measure_calibration
from models.calibration.thresholds import LabelledEmbeddings
from models.errors import DatasetError
from service.domain.distances import squared_l2, unit
from service.model_files.calibration import Calibration, Interval, RatesAtThreshold


def faces(people: int, photographs: int = 3, spread: float = 0.1, seed: int = 0) -> LabelledEmbeddings:
    """Return embeddings near the centres of their people, in 16 dimensions."""
    rng = np.random.default_rng(seed)
    centres = unit(np.repeat(rng.normal(size=(people, 16)), photographs, axis=0).astype(np.float32))
    vectors = unit((centres + spread * rng.normal(size=centres.shape)).astype(np.float32))
    return LabelledEmbeddings(vectors, np.repeat(np.arange(people), photographs), 0)


def joined(*parts: LabelledEmbeddings) -> LabelledEmbeddings:
    return LabelledEmbeddings(
        np.concatenate([part.embeddings for part in parts]), np.concatenate([part.people for part in parts]), 0
    )


def renamed(part: LabelledEmbeddings, person: int) -> LabelledEmbeddings:
    return LabelledEmbeddings(part.embeddings, np.full(len(part.people), person), 0)


def relative_width(interval: Interval, rate: float) -> float:
    return (interval[1] - interval[0]) / rate


def test_the_rates_are_those_of_a_direct_count() -> None:
    known = faces(people=60)
    table = measure_calibration(known, "people")
    distances = squared_l2(known.embeddings, known.embeddings)
    same = known.people[:, None] == known.people
    mated = same & ~np.eye(len(same), dtype=bool)
    for row in table.rates:
        assert row.fmr == pytest.approx(np.mean(distances[~same] < row.threshold_sq_l2), rel=0.01)
        assert row.fnmr == pytest.approx(np.mean(distances[mated] >= row.threshold_sq_l2), rel=0.01, abs=1e-9)
    assert (table.people, table.non_mated_pairs, table.mated_pairs) == (60, int((~same).sum()) // 2, 180)


def test_each_rate_is_inside_its_interval() -> None:
    for row in measure_calibration(faces(people=60), "people").rates:
        assert row.fmr_interval[0] <= row.fmr <= row.fmr_interval[1]
        assert row.fnmr is not None
        assert row.fnmr_interval is not None
        assert row.fnmr_interval[0] <= row.fnmr <= row.fnmr_interval[1]


def test_the_table_begins_where_thirty_pairs_of_people_match() -> None:
    known = faces(people=60, photographs=1)
    known = joined(known, renamed(faces(1, 2, seed=9), 60))
    lowest = measure_calibration(known, "people").rates[0].threshold_sq_l2
    distances = squared_l2(known.embeddings, known.embeddings)
    pairs = distances[np.triu(known.people[:, None] != known.people)]
    assert np.count_nonzero(pairs < lowest - 0.02) < 30 + 2


def test_a_person_with_many_photographs_has_no_more_weight_than_others() -> None:
    known, many = faces(people=60), faces(people=1, photographs=8, seed=4)
    with_few = joined(known, renamed(many, 60).take_first(3, np.array([60])))
    with_many = joined(known, renamed(many, 60))
    few, most = (measure_calibration(one, "people") for one in (with_few, with_many))
    assert most.fmr(1.5) == pytest.approx(few.fmr(1.5), rel=0.02)


def test_fewer_people_give_wider_intervals() -> None:
    few, many = (measure_calibration(faces(people), "people") for people in (30, 300))
    widths = [relative_width(row.fmr_interval, row.fmr) for row in (at(few, 1.4), at(many, 1.4))]
    assert widths[0] > 2 * widths[1]


def test_wrong_labels_make_the_intervals_of_the_lowest_rates_wider() -> None:
    known = faces(people=150)
    wrong = known.people.copy()
    wrong[::30] = (wrong[::30] + 7) % 150
    right, mixed = (
        measure_calibration(LabelledEmbeddings(known.embeddings, people, 0), "people")
        for people in (known.people, wrong)
    )
    threshold = right.rates[0].threshold_sq_l2
    assert at(mixed, threshold).fmr_interval[1] > at(right, threshold).fmr_interval[1]
    assert (mixed.fnmr(threshold) or 0.0) > (right.fnmr(threshold) or 0.0)


def test_copies_of_photographs_are_set_aside() -> None:
    known = faces(people=60)
    twice = joined(known, LabelledEmbeddings(known.embeddings[:10], known.people[:10], 0))
    assert measure_calibration(twice, "people").rates == measure_calibration(known, "people").rates
    assert "10 copies" in measure_calibration(twice, "people").measured_on


def test_a_photograph_under_two_names_is_set_aside_for_both() -> None:
    known = faces(people=60)
    under_two_names = joined(known, renamed(known.take_first(1, np.array([3])), 40))
    assert "2 copies" in measure_calibration(under_two_names, "people").measured_on


def under_two_names() -> LabelledEmbeddings:
    """Return 61 people. The photographs of person 5 are in two folders, 5 and 61."""
    known = faces(people=61, photographs=6)
    people = known.people.copy()
    people[(people == 5) & (np.arange(len(people)) % 2 == 0)] = 61
    return LabelledEmbeddings(known.embeddings, people, 0)


def test_a_person_under_two_names_is_found() -> None:
    assert find_alike(under_two_names()) == [(5, 61)]
    assert find_alike(faces(people=61, photographs=6)) == []


def test_a_person_under_two_names_raises_the_upper_bound_of_the_lowest_rates() -> None:
    once, twice = (measure_calibration(one, "people") for one in (faces(people=61, photographs=6), under_two_names()))
    threshold = once.rates[0].threshold_sq_l2
    assert at(twice, threshold).fmr_interval[1] > at(once, threshold).fmr_interval[1]


def test_a_folder_of_one_person_is_refused() -> None:
    with pytest.raises(DatasetError, match="several people"):
        measure_calibration(faces(people=1), "people")


def test_a_folder_with_one_photograph_of_each_person_is_refused() -> None:
    with pytest.raises(DatasetError, match="two photographs"):
        measure_calibration(faces(people=60, photographs=1), "people")


def test_a_folder_of_few_people_is_refused() -> None:
    with pytest.raises(DatasetError, match="too few people"):
        measure_calibration(faces(people=5), "people")


def at(table: Calibration, threshold_sq_l2: float) -> RatesAtThreshold:
    return min(table.rates, key=lambda row: abs(row.threshold_sq_l2 - threshold_sq_l2))


def test_without_an_error_the_fnmr_interval_ends_at_three_divided_by_the_people() -> None:
    several = faces(people=50, photographs=3, spread=0.05)
    table = measure_calibration(joined(several, renamed(faces(1, 1, seed=7), 50)), "people")
    without = [row for row in table.rates if row.fnmr == 0]
    assert without
    assert {row.fnmr_interval for row in without} == {(0.0, 3 / 50)}
