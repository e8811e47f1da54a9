"""JPEG files that are decoded at reduced scale."""

import io
import tracemalloc

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from service.domain.errors import ImageTooLarge, PhotographError, UnreadableImage
from service.domain.image import Image, Notice
from service.pipeline.decoding.decode import decode

MAX_PIXELS = 10_000_000
ORIENTATIONS = range(1, 9)


def decode_at(data: bytes, reduction: int, max_pixels: int = MAX_PIXELS) -> Image:
    return decode(data, max_pixels, lambda _width, _height: reduction)


def as_jpeg(picture: Pillow.Image, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", **{"quality": 95, **options})
    return file.getvalue()


def exif_with_orientation(orientation: int) -> bytes:
    tags = Pillow.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


@pytest.fixture(scope="module")
def portrait(obama: bytes) -> Pillow.Image:
    return Pillow.open(io.BytesIO(obama)).convert("RGB").resize((480, 640))


def shrunk(image: Image, reduction: int) -> np.ndarray:
    size = (image.width // reduction, image.height // reduction)
    return np.asarray(cv2.resize(image.pixels, size, interpolation=cv2.INTER_AREA), np.int64)


@pytest.mark.parametrize("reduction", [2, 4, 8])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_reduced_photograph_looks_like_the_shrunk_one(portrait: Pillow.Image, mode: str, reduction: int) -> None:
    data = as_jpeg(portrait.convert(mode))
    full, reduced = decode(data, MAX_PIXELS), decode_at(data, reduction)
    assert reduced.pixels.shape == (640 // reduction, 480 // reduction, 3)
    assert (reduced.width, reduced.height, reduced.reduction) == (480, 640, reduction)
    assert reduced.notices == full.notices
    assert np.abs(reduced.pixels - shrunk(full, reduction)).mean() < 2


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_reduced_photograph_is_upright(portrait: Pillow.Image, orientation: int) -> None:
    data = as_jpeg(portrait, exif=exif_with_orientation(orientation))
    full, reduced = decode(data, MAX_PIXELS), decode_at(data, 2)
    assert (reduced.width, reduced.height) == (full.width, full.height)
    assert np.abs(reduced.pixels - shrunk(full, 2)).mean() < 2


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_large_photograph_is_turned_as_a_small_one(portrait: Pillow.Image, orientation: int) -> None:
    """A large one is turned as a view: `copy` would take its memory twice."""
    stored = portrait.resize((2_400, 1_800))
    turned = decode(as_jpeg(stored, exif=exif_with_orientation(orientation)), MAX_PIXELS).pixels
    upright = decode(as_jpeg(stored), MAX_PIXELS).pixels
    assert turned.base is not None
    np.testing.assert_array_equal(turned, _turned(upright, orientation))


def _turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn as Exif 2.32, section 4.6.4, says."""
    transposed = pixels.transpose(1, 0, 2) if orientation >= 5 else pixels
    rows, columns = {1: (1, 1), 2: (1, -1), 3: (-1, -1), 4: (-1, 1), 5: (1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}[
        orientation
    ]
    return transposed[::rows, ::columns]


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (7, 9), (1, 65), (17, 8)])
@pytest.mark.parametrize("reduction", [2, 4, 8])
def test_a_tiny_or_odd_photograph_is_decoded_at_any_reduction(size: tuple[int, int], reduction: int) -> None:
    image = decode_at(as_jpeg(Pillow.new("RGB", size, "red")), reduction)
    for decoded_px, side_px in zip((image.width, image.height), size, strict=True):
        assert side_px <= decoded_px < side_px + image.reduction
    np.testing.assert_allclose(image.pixels[0, 0], [254, 0, 0], atol=2)


def test_a_jpeg_of_several_scans_is_decoded_at_full_size(portrait: Pillow.Image) -> None:
    """A decoder keeps all its coefficients at any scale, so a second decoding would double the time."""
    image = decode_at(as_jpeg(portrait, progressive=True), 2)
    assert (image.reduction, image.pixels.shape) == (1, (640, 480, 3))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "GIF", "AVIF"])
def test_other_formats_are_decoded_at_full_size(portrait: Pillow.Image, kind: str) -> None:
    file = io.BytesIO()
    portrait.save(file, kind)
    assert decode_at(file.getvalue(), 2).pixels.shape == (640, 480, 3)


def test_the_limit_of_pixels_is_that_of_the_photograph(portrait: Pillow.Image) -> None:
    with pytest.raises(ImageTooLarge):
        decode_at(as_jpeg(portrait), 8, max_pixels=480 * 640 - 1)


@pytest.mark.parametrize("missing_bytes", [3, 8, 400, 10_000])
def test_a_cut_off_jpeg_is_refused_at_any_reduction(portrait: Pillow.Image, missing_bytes: int) -> None:
    with pytest.raises(UnreadableImage, match="cut off or damaged"):
        decode_at(as_jpeg(portrait)[:-missing_bytes], 8)


def test_a_jpeg_that_lacks_only_its_end_is_accepted(portrait: Pillow.Image) -> None:
    image = decode_at(as_jpeg(portrait)[:-2], 2)
    assert (image.reduction, image.notices) == (1, (Notice.END_MISSING,))


@settings(max_examples=100, deadline=None)
@given(changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6))
def test_a_damaged_jpeg_is_refused_at_reduced_scale_if_it_is_at_full_size(
    portrait: Pillow.Image, changes: list[tuple[float, int]]
) -> None:
    data = bytearray(as_jpeg(portrait.resize((64, 80))))
    for place, value in changes:
        data[2 + int(place * (len(data) - 2))] = value
    refusals: list[type[PhotographError] | None] = []
    for reduction in (1, 2):
        try:
            decode_at(bytes(data), reduction)
            refusals.append(None)
        except PhotographError as error:
            refusals.append(type(error))
    assert refusals[0] == refusals[1]


def test_a_decoded_jpeg_takes_four_bytes_a_pixel(portrait: Pillow.Image) -> None:
    """NumPy reports its memory to tracemalloc, and the decoder writes into memory of NumPy."""
    data = as_jpeg(portrait.resize((2_400, 1_800)), exif=exif_with_orientation(6))
    tracemalloc.start()
    decode(data, MAX_PIXELS)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    one_strip, files = 3 * 2**20, 2 * len(data)
    assert 2_400 * 1_800 * 4 <= peak_bytes <= 2_400 * 1_800 * 4 + one_strip + files + 100_000
