import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.decisions.assignment import Assignment, CandidateRows, assign_nearest, assign_once
from service.gallery.search_values import Candidate

THRESHOLD = 1.0
DISTANCES = st.integers(0, 14).map(lambda tenths: tenths / 10)
PHOTOGRAPHS = st.integers(0, 5).flatmap(
    lambda subjects: st.lists(st.lists(DISTANCES, min_size=subjects, max_size=subjects), max_size=5)
)
"""The distance of each face to each subject."""


def rows_of(distances: list[list[float]]) -> CandidateRows:
    """Return the candidates of each face, nearest first. The subjects are called a, b, ..."""
    rows = [
        [
            Candidate(subject, None, distance, f"face of {subject}")
            for subject, distance in zip("abcde", row, strict=False)
        ]
        for row in distances
    ]
    return [sorted(row, key=lambda candidate: candidate.distance) for row in rows]


def subjects(assignments: list[Assignment]) -> list[str | None]:
    return [one.match.subject if one.match else None for one in assignments]


def test_the_face_that_is_nearer_to_a_subject_gets_it_and_the_other_gets_its_next_subject() -> None:
    found = assign_once(rows_of([[0.5, 0.9], [0.4, 1.2], [0.8, 0.7]]), THRESHOLD)
    assert subjects(found) == [None, "a", "b"]
    assert [one.lost_to for one in found] == [1, None, None]
    found = assign_once(rows_of([[0.5, 0.9], [0.4, 1.2]]), THRESHOLD)
    assert subjects(found) == ["b", "a"]
    assert [one.lost_to for one in found] == [1, None]


def test_the_nearest_face_keeps_its_subject_although_another_face_is_then_unknown() -> None:
    # The least sum of distances would give the subject a to the second face, and b to the first.
    assert subjects(assign_once(rows_of([[0.2, 0.9], [0.3, 1.4]]), THRESHOLD)) == ["a", None]


def test_of_two_faces_at_the_same_distance_the_first_gets_the_subject() -> None:
    found = assign_once(rows_of([[0.5], [0.5]]), THRESHOLD)
    assert subjects(found) == ["a", None]
    assert [one.lost_to for one in found] == [None, 0]


def test_a_distance_of_exactly_the_threshold_is_no_match() -> None:
    assert subjects(assign_once(rows_of([[THRESHOLD]]), THRESHOLD)) == [None]
    assert subjects(assign_nearest(rows_of([[THRESHOLD]]), THRESHOLD)) == [None]


def test_each_face_alone_gets_its_nearest_subject() -> None:
    assert subjects(assign_nearest(rows_of([[0.5, 0.9], [0.4, 1.2], [1.1, 1.2]]), THRESHOLD)) == ["a", "a", None]


@given(distances=PHOTOGRAPHS)
def test_no_subject_is_assigned_twice_and_no_face_and_subject_prefer_each_other(distances: list[list[float]]) -> None:
    found = assign_once(rows_of(distances), THRESHOLD)
    named = [subject for subject in subjects(found) if subject]
    assert len(set(named)) == len(named)
    of_face = [one.match.distance if one.match else THRESHOLD for one in found]
    of_subject = {one.match.subject: one.match.distance for one in found if one.match}
    for (face, row), (subject, place) in itertools.product(enumerate(distances), zip("abcde", range(5), strict=True)):
        if place < len(row):
            assert row[place] >= min(of_face[face], THRESHOLD) or row[place] >= of_subject.get(subject, THRESHOLD)


@given(distances=PHOTOGRAPHS)
def test_a_face_lost_its_nearest_subject_to_the_face_that_has_it(distances: list[list[float]]) -> None:
    rows = rows_of(distances)
    found = assign_once(rows, THRESHOLD)
    for row, one in zip(rows, found, strict=True):
        wanted = row[0].subject if row and row[0].distance < THRESHOLD else None
        if one.lost_to is None:
            assert subjects([one]) == [wanted]
        else:
            assert subjects([found[one.lost_to]]) == [wanted]
            assert distances[one.lost_to]["abcde".index(str(wanted))] <= row[0].distance


@given(seed=st.integers(0, 1000), faces=st.integers(1, 6), people=st.integers(1, 12))
def test_as_many_candidates_as_faces_are_enough(seed: int, faces: int, people: int) -> None:
    distances = np.random.default_rng(seed).uniform(0, 1.2, (faces, people)).round(3)
    names = [f"subject {number}" for number in range(people)]
    rows = [
        sorted(
            (Candidate(name, None, float(d), name) for name, d in zip(names, row, strict=True)),
            key=lambda c: c.distance,
        )
        for row in distances
    ]
    of_all = assign_once(rows, THRESHOLD)
    assert assign_once([row[:faces] for row in rows], THRESHOLD) == of_all
