from dataclasses import replace

import cv2
import numpy as np
import pytest

from models.augmentation import PLAIN, Augmentation, Views
from models.errors import DatasetError
from models.preparation.shards import CANVAS
from service.card import BoxCrop, FivePoint
from service.domain import Crops

TEMPLATE = FivePoint(view=(0, 0, 112, 112), height=112, width=112)


@pytest.fixture
def canvases() -> Crops:
    coarse = np.random.default_rng(2).integers(0, 256, (3, 6, 6, 3), dtype=np.uint8)
    return np.stack([cv2.resize(one, (128, 128), interpolation=cv2.INTER_CUBIC) for one in coarse])


def test_a_plain_view_is_cut_out_of_the_canvas_pixel_by_pixel(canvases: Crops) -> None:
    crops = Views(CANVAS, TEMPLATE).draw(canvases, np.random.default_rng(0))
    np.testing.assert_array_equal(crops, canvases[:, 8:120, 8:120])


def test_a_view_of_another_size_shows_the_same_part(canvases: Crops) -> None:
    target = FivePoint(view=(3, -8, 109, 120), height=64, width=53)
    crops = Views(CANVAS, target).draw(canvases, np.random.default_rng(0))
    for crop, canvas in zip(crops, canvases, strict=True):
        expected = cv2.resize(canvas[:, 11:117], (53, 64), interpolation=cv2.INTER_LINEAR)
        np.testing.assert_allclose(crop[2:-2, 2:-2], expected[2:-2, 2:-2], atol=2)


def test_a_box_is_cut_out_of_a_box_with_a_margin(canvases: Crops) -> None:
    canvas, target = BoxCrop(margin=0.25, height=128, width=128), BoxCrop(margin=0, height=40, width=40)
    crops = Views(canvas, target).draw(canvases, np.random.default_rng(0))
    side = 128 * 0.25 / 1.5
    middle = canvases[:, round(side) : 128 - round(side), round(side) : 128 - round(side)]
    expected = [cv2.resize(one, (40, 40), interpolation=cv2.INTER_LINEAR) for one in middle]
    np.testing.assert_allclose(crops.mean(axis=(1, 2)), np.mean(expected, axis=(1, 2)), atol=2)


def test_a_flipped_view_is_the_mirror_image(canvases: Crops) -> None:
    flipped = Views(CANVAS, TEMPLATE, replace(PLAIN, flip=1.0)).draw(canvases, np.random.default_rng(0))
    np.testing.assert_array_equal(flipped, canvases[:, 8:120, 8:120][:, :, ::-1])


def test_grey_has_three_equal_channels(canvases: Crops) -> None:
    grey = Views(CANVAS, TEMPLATE, replace(PLAIN, grey=1.0)).draw(canvases, np.random.default_rng(0))
    np.testing.assert_array_equal(grey[..., 0], grey[..., 2])


@pytest.mark.parametrize(
    "change",
    [
        replace(PLAIN, few_pixels=1.0),
        replace(PLAIN, blur=1.0),
        replace(PLAIN, light=1.0),
        replace(PLAIN, jpeg=1.0),
        replace(PLAIN, shift=0.03),
        replace(PLAIN, scale=0.05),
        replace(PLAIN, turn_degrees=4.0),
    ],
)
def test_every_kind_of_change_changes_the_view_and_keeps_what_it_shows(change: Augmentation, canvases: Crops) -> None:
    changed = Views(CANVAS, TEMPLATE, change).draw(canvases, np.random.default_rng(3))
    plain = canvases[:, 8:120, 8:120]
    assert (changed != plain).any()
    for one, other in zip(changed, plain, strict=True):
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.5


def test_the_same_generator_gives_the_same_views(canvases: Crops) -> None:
    views = Views(CANVAS, TEMPLATE, Augmentation())
    first, second = (views.draw(canvases, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert (views.draw(canvases, np.random.default_rng(6)) != first).any()


def test_a_box_is_not_cut_out_of_a_canvas_by_five_points() -> None:
    with pytest.raises(DatasetError, match="are cut as five_point, and a model takes box"):
        Views(CANVAS, BoxCrop(margin=0.0, height=160, width=160))


def test_a_margin_is_not_made_up_where_the_canvas_does_not_show_it() -> None:
    with pytest.raises(DatasetError, match=r"a margin of 0, and a model takes one of 0\.15"):
        Views(BoxCrop(margin=0.0, height=128, width=128), BoxCrop(margin=0.15, height=160, width=160))
