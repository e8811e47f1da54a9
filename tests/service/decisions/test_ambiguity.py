import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.decisions.ambiguity import DEFAULT_MARGIN_POINTS, distances_of_matches, find_second, margin_in_force
from service.decisions.assignment import assign_nearest, assign_once
from service.decisions.error_rates.score import ScoreScale
from service.gallery.search_values import Candidate
from service.model_files.calibration import Calibration
from tests.support.calibrations import calibration_fields

# A distance of 0.1 is 10 points.
SCALE = ScoreScale(1.2, Calibration.model_validate(calibration_fields()))
MARGIN = 10.0

Row = list[Candidate]


def row_of(**distances: float) -> Row:
    """Return the candidates of a face, nearest first."""
    return sorted((Candidate(name, None, d, name) for name, d in distances.items()), key=lambda one: one.distance)


def seconds_once(*rows: Row, margin: float = MARGIN) -> list[str | None]:
    """Return for each face of a photograph the other subject, if its match is ambiguous."""
    found = assign_once(rows, SCALE.threshold_sq_l2)
    taken = distances_of_matches(found)
    seconds = [find_second(row, one.match, taken, SCALE, margin) for row, one in zip(rows, found, strict=True)]
    return [second.subject if second else None for second in seconds]


def test_a_second_subject_within_the_margin_is_found() -> None:
    assert seconds_once(row_of(a=0.8, b=0.89)) == ["b"]
    assert seconds_once(row_of(a=0.8, b=0.91)) == [None]


def test_two_subjects_with_the_score_100_are_ambiguous() -> None:
    assert SCALE.score(0.1) == SCALE.score(0.5) == 100
    assert seconds_once(row_of(a=0.1, b=0.5)) == ["b"]
    assert seconds_once(row_of(a=0.1, b=0.5), margin=0.0) == [None]


def test_the_second_subject_can_be_beyond_the_threshold() -> None:
    assert seconds_once(row_of(a=1.19, b=1.25)) == ["b"]


def test_an_unknown_face_has_no_second_subject() -> None:
    assert seconds_once(row_of(a=1.21, b=1.22), []) == [None, None]


def test_a_subject_whose_own_face_is_nearer_by_the_margin_is_no_second_one() -> None:
    assert seconds_once(row_of(a=0.85, b=0.88), row_of(a=1.3, b=0.75)) == [None, None]


def test_a_subject_that_another_face_got_by_a_small_difference_is_a_second_one() -> None:
    assert seconds_once(row_of(a=0.8, b=0.82), row_of(a=1.0, b=0.81)) == ["b", None]


def test_a_face_that_lost_its_nearest_subject_by_a_small_difference_is_ambiguous() -> None:
    assert seconds_once(row_of(a=0.82, b=1.0), row_of(a=0.81, b=1.3)) == ["a", None]
    assert seconds_once(row_of(a=0.82, b=1.0), row_of(a=0.6, b=1.3)) == [None, None]


def test_in_a_collage_a_subject_of_another_face_is_a_second_one_too() -> None:
    rows = [row_of(a=0.5, b=0.55), row_of(a=0.9, b=0.3)]
    found = assign_nearest(rows, SCALE.threshold_sq_l2)
    seconds = [find_second(row, one.match, {}, SCALE, MARGIN) for row, one in zip(rows, found, strict=True)]
    assert [second and second.subject for second in seconds] == ["b", None]


DISTANCES = st.lists(st.floats(0, 4), min_size=6, max_size=6)
PHOTOGRAPHS = st.lists(DISTANCES.map(lambda row: row_of(**dict(zip("abcdef", row, strict=True)))), max_size=4)


@given(rows=PHOTOGRAPHS)
def test_with_a_margin_of_0_no_face_is_ambiguous(rows: list[Row]) -> None:
    assert seconds_once(*rows, margin=0.0) == [None] * len(rows)


@given(rows=PHOTOGRAPHS, margins=st.tuples(st.floats(0, 100), st.floats(0, 100)))
def test_a_greater_margin_makes_no_fewer_single_faces_ambiguous(rows: list[Row], margins: tuple[float, float]) -> None:
    low, high = sorted(margins)
    for row in rows:
        assert seconds_once(row, margin=low) == [None] or seconds_once(row, margin=high) != [None]


@given(rows=PHOTOGRAPHS, margin=st.floats(0, 100))
def test_one_candidate_more_than_faces_is_enough(rows: list[Row], margin: float) -> None:
    assert seconds_once(*(row[: len(rows) + 1] for row in rows), margin=margin) == seconds_once(*rows, margin=margin)


def test_the_default_margin_needs_a_calibration() -> None:
    assert margin_in_force(None, SCALE) == DEFAULT_MARGIN_POINTS
    assert margin_in_force(None, ScoreScale(1.2, None)) == 0
    for given_points, scale in itertools.product((0.0, 3.0), (SCALE, ScoreScale(1.2, None))):
        assert margin_in_force(given_points, scale) == pytest.approx(given_points)
