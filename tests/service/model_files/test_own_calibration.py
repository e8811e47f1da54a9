"""The calibration of a collection: who is set aside, and what is refused."""

import numpy as np
import pytest

from service.domain.errors import TooFewPeople
from service.model_files.error_rates import FacesOfPeople
from service.model_files.own_calibration import measure_people
from tests.support.made_up_people import make_people

PEOPLE = np.concatenate([*make_people(60, faces=1).values()])


def one_face_each(embeddings: np.ndarray) -> FacesOfPeople:
    return FacesOfPeople(embeddings.astype(np.float32), np.ones(len(embeddings), np.int64))


def test_one_photograph_under_two_subjects_is_named_as_a_duplicate() -> None:
    measured = measure_people(one_face_each(np.concatenate([PEOPLE, PEOPLE[3:5]])), lowest_sq_l2=1.0)
    assert {frozenset(pair) for pair in measured.twice} == {frozenset({3, 60}), frozenset({4, 61})}
    assert measured.copies == 4


def test_too_few_people_because_of_copies_says_how_many_were_set_aside() -> None:
    with pytest.raises(TooFewPeople, match="the collection has 0\\. 60 more look like copies"):
        measure_people(one_face_each(np.concatenate([PEOPLE[:30], PEOPLE[:30]])), lowest_sq_l2=1.0)
