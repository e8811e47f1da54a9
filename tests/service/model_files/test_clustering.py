import math
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from service.model_files.clustering import ClusteringThresholds

FIELDS: dict[str, Any] = {
    "mixed_share": 0.01,
    "people": [10, 100, 1000],
    "thresholds_sq_l2": [1.3, 1.1, 1.0],
    "measured_on": "made-up people",
}


def test_between_two_numbers_of_people_the_threshold_is_interpolated_over_the_logarithm() -> None:
    thresholds = ClusteringThresholds(**FIELDS)
    people = np.array([10, 100, 1000, math.sqrt(1000)])
    np.testing.assert_allclose(thresholds.at(people), [1.3, 1.1, 1.0, 1.2])


def test_beyond_the_last_number_of_people_the_line_is_continued_down_to_0() -> None:
    assert ClusteringThresholds(**FIELDS).at(10_000) == pytest.approx(0.9)
    assert ClusteringThresholds(**FIELDS).at(1e20) == 0.0


@pytest.mark.parametrize("people", [1, 2, 9])
def test_fewer_people_than_the_first_number_have_its_threshold(people: int) -> None:
    assert ClusteringThresholds(**FIELDS).at(people) == 1.3


@pytest.mark.parametrize(
    "wrong",
    [
        {"mixed_share": 0.0},
        {"mixed_share": 1.0},
        {"people": [10, 100]},
        {"people": [10, 10, 100]},
        {"people": [1, 10, 100]},
        {"people": [10], "thresholds_sq_l2": [1.3]},
        {"thresholds_sq_l2": [1.3, 1.1, 1.2]},
        {"thresholds_sq_l2": [4.1, 1.1, 1.0]},
        {"thresholds_sq_l2": [1.3, 1.1, -0.1]},
        {"thresholds_sq_l2": [1.3, 1.1, math.nan]},
    ],
)
def test_a_table_that_is_not_one_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ClusteringThresholds(**FIELDS | wrong)
