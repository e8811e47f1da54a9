import numpy as np
import pytest

from models.training.data.sampling import FaceSampler


def test_people_with_many_faces_are_drawn_less_often_than_in_proportion_to_their_faces() -> None:
    people = np.repeat([0, 1], [100, 4])
    sampler = FaceSampler.by_people(people, 2, exponent=0.5)
    assert sampler.probabilities[people == 0].sum() == pytest.approx(10 / 12)
