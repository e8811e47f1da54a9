import numpy as np
import pytest

from models.evaluation.degradations import AsItIs, Degradation, Jpeg, Shrunk, degraded, shrunk
from service.card import BoxCrop, FivePoint
from service.domain import Pixels

FINE = FivePoint(view=(0, 0, 112, 112), height=112, width=112)


def _noise(height: int = 32, width: int = 32) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def _error(crop: Pixels, degradation: Degradation) -> float:
    return float(np.abs(degradation.apply(crop).astype(int) - crop).mean())


def test_a_lower_quality_is_further_from_the_crop() -> None:
    errors = [_error(_noise(), Jpeg(quality)) for quality in (90, 50, 10)]

    assert 0 < errors[0] < errors[1] < errors[2]


def test_fewer_pixels_are_further_from_the_crop() -> None:
    errors = [_error(_noise(), Shrunk(side, side)) for side in (24, 12, 4)]

    assert 0 < errors[0] < errors[1] < errors[2]


def test_shrinking_averages() -> None:
    crop = _noise()

    small = Shrunk(1, 1).apply(crop)

    np.testing.assert_allclose(small, np.broadcast_to(crop.mean(axis=(0, 1)), crop.shape), atol=1)


@pytest.mark.parametrize("degradation", [AsItIs(), Jpeg(10), Shrunk(10, 20)])
def test_the_shape_stays(degradation: Degradation) -> None:
    crop = _noise(140, 116)

    after = degradation.apply(crop)

    assert after.shape == crop.shape
    assert after.dtype == np.uint8


def test_nothing_is_done_to_a_crop_as_it_is() -> None:
    np.testing.assert_array_equal(AsItIs().apply(_noise()), _noise())


@pytest.mark.parametrize(
    ("pixels", "alignment", "expected"),
    [
        (1_600, FINE, Shrunk(40, 40)),
        (12_543, FINE, Shrunk(112, 112)),
        (12_544, FINE, AsItIs()),
        (65_536, FINE, AsItIs()),
        (14_400, BoxCrop(margin=0.1, height=160, width=160), Shrunk(120, 120)),
        (4_060, FivePoint(view=(3, -8, 109, 120), height=140, width=116), Shrunk(70, 58)),
    ],
)
def test_a_crop_keeps_its_proportions_and_is_never_made_larger(
    pixels: int, alignment: FivePoint | BoxCrop, expected: Degradation
) -> None:
    assert shrunk(pixels, alignment) == expected


def test_crops_are_degraded_one_by_one() -> None:
    crops = np.stack([_noise(), 255 - _noise()])

    found = degraded(crops, Jpeg(30))

    np.testing.assert_array_equal(found, [Jpeg(30).apply(crop) for crop in crops])
