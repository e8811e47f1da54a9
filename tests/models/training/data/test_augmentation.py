from dataclasses import replace

import cv2
import numpy as np
import pytest

from models.errors import DatasetError
from models.preparation.shards import CANVAS_ALIGNMENT
from models.training.data.augmentation import NO_AUGMENTATION, Augmentation, Augmenter
from service.domain.face import Crops
from service.model_files.card import BoxAlignment, FivePointAlignment

TEMPLATE = FivePointAlignment(view=(0, 0, 112, 112), height=112, width=112)


@pytest.fixture
def canvases() -> Crops:
    coarse = np.random.default_rng(2).integers(0, 256, (3, 6, 6, 3), dtype=np.uint8)
    return np.stack([cv2.resize(image, (128, 128), interpolation=cv2.INTER_CUBIC) for image in coarse])


def test_without_augmentation_a_crop_has_the_pixels_of_the_canvas(canvases: Crops) -> None:
    crops = Augmenter(CANVAS_ALIGNMENT, TEMPLATE).augment(canvases, np.random.default_rng(0))
    np.testing.assert_array_equal(crops, canvases[:, 8:120, 8:120])


def test_a_crop_of_another_size_shows_the_same_part_of_the_face(canvases: Crops) -> None:
    target = FivePointAlignment(view=(3, -8, 109, 120), height=64, width=53)
    crops = Augmenter(CANVAS_ALIGNMENT, target).augment(canvases, np.random.default_rng(0))
    for crop, canvas in zip(crops, canvases, strict=True):
        expected = cv2.resize(canvas[:, 11:117], (53, 64), interpolation=cv2.INTER_LINEAR)
        np.testing.assert_allclose(crop[2:-2, 2:-2], expected[2:-2, 2:-2], atol=2)


def test_a_crop_without_a_margin_is_the_middle_of_a_canvas_with_a_margin(canvases: Crops) -> None:
    canvas, target = BoxAlignment(margin=0.25, height=128, width=128), BoxAlignment(margin=0, height=40, width=40)
    crops = Augmenter(canvas, target).augment(canvases, np.random.default_rng(0))
    margin = round(128 * 0.25 / 1.5)
    middles = canvases[:, margin : 128 - margin, margin : 128 - margin]
    expected = [cv2.resize(middle, (40, 40), interpolation=cv2.INTER_LINEAR) for middle in middles]
    np.testing.assert_allclose(crops.mean(axis=(1, 2)), np.mean(expected, axis=(1, 2)), atol=2)


def test_a_flipped_crop_is_the_mirror_image(canvases: Crops) -> None:
    flipped = Augmenter(CANVAS_ALIGNMENT, TEMPLATE, replace(NO_AUGMENTATION, flip=1.0)).augment(
        canvases, np.random.default_rng(0)
    )
    np.testing.assert_array_equal(flipped, canvases[:, 8:120, 8:120][:, :, ::-1])


def test_a_grey_crop_has_three_equal_channels(canvases: Crops) -> None:
    grey = Augmenter(CANVAS_ALIGNMENT, TEMPLATE, replace(NO_AUGMENTATION, grey=1.0)).augment(
        canvases, np.random.default_rng(0)
    )
    np.testing.assert_array_equal(grey[..., 0], grey[..., 2])


@pytest.mark.parametrize(
    "change",
    [
        replace(NO_AUGMENTATION, low_resolution=1.0),
        replace(NO_AUGMENTATION, blur=1.0),
        replace(NO_AUGMENTATION, light=1.0),
        replace(NO_AUGMENTATION, jpeg=1.0),
        replace(NO_AUGMENTATION, shift_std=0.03),
        replace(NO_AUGMENTATION, scale_std=0.05),
        replace(NO_AUGMENTATION, rotation_std_degrees=4.0),
    ],
)
def test_every_kind_of_augmentation_changes_the_crop_and_keeps_the_face(change: Augmentation, canvases: Crops) -> None:
    changed = Augmenter(CANVAS_ALIGNMENT, TEMPLATE, change).augment(canvases, np.random.default_rng(3))
    unchanged = canvases[:, 8:120, 8:120]
    assert (changed != unchanged).any()
    for after, before in zip(changed, unchanged, strict=True):
        assert np.corrcoef(after.ravel(), before.ravel())[0, 1] > 0.5


def test_crops_depend_only_on_the_state_of_the_generator(canvases: Crops) -> None:
    augmenter = Augmenter(CANVAS_ALIGNMENT, TEMPLATE, Augmentation())
    first, second = (augmenter.augment(canvases, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert (augmenter.augment(canvases, np.random.default_rng(6)) != first).any()


def test_a_model_that_takes_boxes_is_refused_if_canvases_are_cut_by_five_points() -> None:
    with pytest.raises(DatasetError, match="are cut as five_point, and the model takes box"):
        Augmenter(CANVAS_ALIGNMENT, BoxAlignment(margin=0.0, height=160, width=160))


def test_a_margin_that_the_canvas_does_not_show_is_refused() -> None:
    with pytest.raises(DatasetError, match=r"a margin of 0, and the model needs a margin of 0\.15"):
        Augmenter(BoxAlignment(margin=0.0, height=128, width=128), BoxAlignment(margin=0.15, height=160, width=160))
