import numpy as np
import pytest

from service.pipeline.detection.quarter_turns import turn, turn_back


@pytest.mark.parametrize("quarter_turns", range(4))
def test_points_are_turned_back_to_the_pixels_that_they_came_from(quarter_turns: int) -> None:
    numbers = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)

    turned = turn(numbers, quarter_turns)

    rows, columns = np.mgrid[: turned.shape[0], : turned.shape[1]]
    points = np.stack([columns, rows], axis=-1).astype(np.float32)
    back = turn_back(points, quarter_turns, right=6, bottom=4).astype(int)
    np.testing.assert_array_equal(numbers[back[..., 1], back[..., 0]], turned)


def test_a_quarter_turn_is_counterclockwise() -> None:
    picture = np.zeros((2, 3, 3), np.uint8)
    picture[0, 2] = 255  # the upper right corner becomes the upper left one
    assert turn(picture, 1)[0, 0, 0] == 255


def test_no_turn_makes_no_copy() -> None:
    picture = np.zeros((2, 3, 3), np.uint8)
    assert turn(picture, 0) is picture
