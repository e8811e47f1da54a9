import io

import numpy as np
import pytest
from PIL import Image as Pillow

from models.evaluation.quality.degradations import CHANGES, Change, degrade
from service.domain.face import Box
from service.domain.image import Pixels

FACE = Box(60, 60, 80, 80)


@pytest.fixture(scope="module")
def pixels() -> Pixels:
    """Return a photograph of noise, 200 x 200, with detail everywhere."""
    return np.random.default_rng(1).integers(0, 256, (200, 200, 3)).astype(np.uint8)


def decoded(data: bytes) -> Pixels:
    return np.asarray(Pillow.open(io.BytesIO(data)))


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_each_way_keeps_the_size_and_the_original(pixels: Pixels, change: Change) -> None:
    before = pixels.copy()
    changed = change(pixels, FACE, np.random.default_rng(2))
    assert changed.shape == pixels.shape
    assert changed.dtype == np.uint8
    assert np.array_equal(pixels, before)


@pytest.mark.parametrize("change", CHANGES[1:], ids=lambda change: change.__name__)
def test_each_way_but_the_first_changes_the_face(pixels: Pixels, change: Change) -> None:
    changed = change(pixels, FACE, np.random.default_rng(2))
    assert not np.array_equal(changed[60:140, 60:140], pixels[60:140, 60:140])
    assert np.array_equal(CHANGES[0](pixels, FACE, np.random.default_rng(2)), pixels)


def test_the_same_draw_gives_the_same_file(pixels: Pixels) -> None:
    first, second = (degrade(pixels, FACE, np.random.default_rng(3)) for _ in range(2))
    assert first == second
    assert decoded(first).shape == pixels.shape


def test_the_colours_keep_their_order() -> None:
    red = np.zeros((64, 64, 3), np.uint8)
    red[..., 0] = 250
    unchanged = next(seed for seed in range(100) if np.random.default_rng(seed).integers(len(CHANGES)) == 0)
    red_again = decoded(degrade(red, Box(10, 10, 40, 40), np.random.default_rng(unchanged)))
    assert red_again[..., 0].min() > 200
    assert red_again[..., 2].max() < 50


@pytest.mark.parametrize("box", [Box(-50, -50, 90, 90), Box(190, 190, 90, 90), Box(0, 0, 3, 3)])
def test_a_face_at_the_edge_or_a_tiny_one_can_be_degraded(pixels: Pixels, box: Box) -> None:
    for seed in range(30):
        assert decoded(degrade(pixels, box, np.random.default_rng(seed))).shape == pixels.shape
