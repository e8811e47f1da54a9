import numpy as np
import pytest

from models.errors import AdoptionRefused
from models.release.adoption.convention import PixelConvention

PIXELS = np.array([[[[255, 128, 0]]]], np.uint8)


def test_one_number_is_for_all_channels() -> None:
    assert PixelConvention.of([127.5], [127.5], "rgb").apply(PIXELS) == pytest.approx(
        np.array([[[[1, 0.5 / 127.5, -1]]]])
    )


def test_the_numbers_of_bgr_are_in_its_order() -> None:
    applied = PixelConvention.of([1, 2, 3], [1, 2, 4], "bgr").apply(PIXELS)
    assert applied.tolist() == [[[[-1, 63, 63]]]]


def test_numbers_for_a_range_from_0_to_1_are_refused() -> None:
    with pytest.raises(AdoptionRefused, match="Multiply them by 255"):
        PixelConvention.of([0.485, 0.456, 0.406], [0.229, 0.224, 0.225], "rgb")


def test_a_network_that_takes_the_pixels_as_they_are_is_not_refused() -> None:
    assert PixelConvention.of([0], [1], "rgb").apply(PIXELS).tolist() == [[[[255, 128, 0]]]]


@pytest.mark.parametrize(("mean", "std"), [([127.5], [0]), ([127.5], [-1]), ([1, 2], [127.5]), ([], [127.5])])
def test_numbers_that_fit_no_channels_are_refused(mean: list[float], std: list[float]) -> None:
    with pytest.raises(AdoptionRefused, match=r"--(mean|std)"):
        PixelConvention.of(mean, std, "rgb")
