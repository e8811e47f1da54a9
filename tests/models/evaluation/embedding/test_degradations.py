import numpy as np
import pytest

from models.evaluation.embedding.degradations import Degradation, Jpeg, LowResolution, Unchanged, degrade, shrink_to
from service.domain.image import Pixels
from service.model_files.card import BoxAlignment, FivePointAlignment

FINE = FivePointAlignment(view=(0, 0, 112, 112), height=112, width=112)


def _noise(height: int = 32, width: int = 32) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def _error(crop: Pixels, degradation: Degradation) -> float:
    return float(np.abs(degradation.apply(crop).astype(int) - crop).mean())


def test_a_lower_jpeg_quality_changes_the_crop_more() -> None:
    errors = [_error(_noise(), Jpeg(quality)) for quality in (90, 50, 10)]

    assert 0 < errors[0] < errors[1] < errors[2]


def test_fewer_pixels_change_the_crop_more() -> None:
    errors = [_error(_noise(), LowResolution(side, side)) for side in (24, 12, 4)]

    assert 0 < errors[0] < errors[1] < errors[2]


def test_a_single_pixel_is_the_mean_of_the_crop() -> None:
    crop = _noise()

    small = LowResolution(1, 1).apply(crop)

    np.testing.assert_allclose(small, np.broadcast_to(crop.mean(axis=(0, 1)), crop.shape), atol=1)


@pytest.mark.parametrize("degradation", [Unchanged(), Jpeg(10), LowResolution(10, 20)])
def test_a_degradation_keeps_shape_and_type(degradation: Degradation) -> None:
    crop = _noise(140, 116)

    degraded = degradation.apply(crop)

    assert degraded.shape == crop.shape
    assert degraded.dtype == np.uint8


def test_unchanged_changes_no_pixel() -> None:
    np.testing.assert_array_equal(Unchanged().apply(_noise()), _noise())


@pytest.mark.parametrize(
    ("pixels", "alignment", "expected"),
    [
        (1_600, FINE, LowResolution(40, 40)),
        (12_543, FINE, LowResolution(112, 112)),
        (12_544, FINE, Unchanged()),
        (65_536, FINE, Unchanged()),
        (14_400, BoxAlignment(margin=0.1, height=160, width=160), LowResolution(120, 120)),
        (4_060, FivePointAlignment(view=(3, -8, 109, 120), height=140, width=116), LowResolution(70, 58)),
    ],
)
def test_a_crop_keeps_its_proportions_and_is_never_enlarged(
    pixels: int, alignment: FivePointAlignment | BoxAlignment, expected: Degradation
) -> None:
    assert shrink_to(pixels, alignment) == expected


def test_crops_are_degraded_one_by_one() -> None:
    crops = np.stack([_noise(), 255 - _noise()])

    degraded = degrade(crops, Jpeg(30))

    np.testing.assert_array_equal(degraded, [Jpeg(30).apply(crop) for crop in crops])
