"""Files that would take a decoder long or much memory are refused before a decoder is opened."""

import io
from contextlib import suppress
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from PIL.ImageFile import ImageFile

from service.domain.errors import ImageTooComplex, ImageTooLarge, Overloaded, PhotographError, UnreadableImage
from service.domain.image import Notice
from service.pipeline.decoding.containers.av1 import count_av1_pixels
from service.pipeline.decoding.containers.boxes import read_boxes
from service.pipeline.decoding.containers.hevc import count_hevc_pixels
from service.pipeline.decoding.containers.items import Items, read_items
from service.pipeline.decoding.containers.outline import MAX_SIDE_PX, Outline
from service.pipeline.decoding.decode import decode, decode_as, outline
from service.pipeline.decoding.formats import Format
from service.pipeline.decoding.pictures import read_by_pillow
from tests.support.hostile_images import (
    HARMLESS,
    REFUSED,
    gif_with,
    jpeg_of_scans,
    jpeg_with,
    picture,
    png_of_zeros,
    saved,
    segment,
)

MAX_PIXELS = 52_000_000
EXPECTED = dict.fromkeys(REFUSED, ImageTooComplex) | {
    "png_tall": ImageTooLarge,
    "png_wide": ImageTooLarge,
    "png_column": ImageTooLarge,
    "webp_canvas": ImageTooLarge,
    "bmp_run_lengths": ImageTooLarge,
    "bmp_without_pixels": UnreadableImage,
    "jpeg_gap": UnreadableImage,
    "jpeg_gap_of_fill": UnreadableImage,
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_file_is_refused_before_a_decoder_is_opened(name: str) -> None:
    """`outline` has no decoder: its imports are checked by the import contract of the containers."""
    with pytest.raises(EXPECTED[name]) as refusal:
        outline(REFUSED[name](), MAX_PIXELS)
    assert type(refusal.value) is EXPECTED[name]


@pytest.mark.parametrize("name", [name for name, error in EXPECTED.items() if error is ImageTooComplex])
def test_the_refusal_of_a_complex_file_says_what_to_do(name: str) -> None:
    with pytest.raises(ImageTooComplex, match="save it again as a JPEG or PNG, and send that"):
        decode(REFUSED[name](), MAX_PIXELS)


@pytest.mark.parametrize("name", HARMLESS)
def test_what_could_do_harm_beside_the_picture_is_not_given_to_the_decoder(name: str) -> None:
    data = HARMLESS[name]()
    assert sum(map(len, outline(data, MAX_PIXELS).parts)) < 40_000
    assert decode(data, MAX_PIXELS).pixels.shape == (64, 64, 3)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF", "BMP", "GIF"])
@pytest.mark.parametrize("size", [(6_000, 250), (250, 6_000)])
def test_a_long_photograph_is_accepted(kind: str, size: tuple[int, int]) -> None:
    file = io.BytesIO()
    picture(*size).save(file, kind)
    image = decode(file.getvalue(), MAX_PIXELS)
    assert (image.width, image.height) == size


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF", "BMP", "GIF"])
def test_a_photograph_of_50_megapixels_is_not_refused(kind: str) -> None:
    file = io.BytesIO()
    Pillow.new("RGB", (8_160, 6_144), "grey").save(file, kind, **({"speed": 10} if kind == "AVIF" else {}))
    found = outline(file.getvalue(), MAX_PIXELS)
    assert (found.width, found.height) == (8_160, 6_144)


def test_a_side_of_65535_pixels_is_accepted_and_a_longer_one_refused() -> None:
    assert outline(png_of_zeros(MAX_SIDE_PX, 2), MAX_PIXELS).width == MAX_SIDE_PX
    with pytest.raises(ImageTooLarge, match="has a side of more than 65535 pixels"):
        outline(png_of_zeros(MAX_SIDE_PX + 1, 2), MAX_PIXELS)


def test_the_number_of_scans_is_limited_by_the_pixels() -> None:
    assert outline(jpeg_of_scans(0xC2, 7_000, 10), MAX_PIXELS).width == 7_000
    with pytest.raises(ImageTooComplex, match="more than 10 scans"):
        outline(jpeg_of_scans(0xC2, 7_000, 11), MAX_PIXELS)
    assert outline(jpeg_of_scans(0xC2, 1_000, 100), MAX_PIXELS).width == 1_000


def test_a_scan_marker_at_the_border_of_two_chunks_is_counted() -> None:
    scan = segment(0xDA, bytes([1, 1, 0, 0, 63, 0]))
    data = jpeg_of_scans(0xC2, 7_000, 1)
    start = data.index(b"\xff\xda")
    for shift in range(-1, 2):
        padding = bytes(2**20 - (len(data) - start) + shift)
        with pytest.raises(ImageTooComplex, match="more than 10 scans"):
            outline(data + padding + scan * 10, MAX_PIXELS)


def test_a_jpeg_with_the_segments_of_a_depth_map_is_accepted() -> None:
    assert decode(jpeg_with(segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0") * 300), MAX_PIXELS).width == 64


def read_first_item(kind: str, size: tuple[int, int], **options: object) -> tuple[Items, tuple[int, int]]:
    """Encode a picture, and return the items of its file and the size that it announces."""
    file = io.BytesIO()
    picture(*size).save(file, kind, **options)
    data = file.getvalue()
    (meta,) = (box for box in read_boxes(data, 0, len(data)) if box.kind == b"meta")
    items = read_items(data, meta)
    (announced,) = items.property_bodies(items.primary, b"ispe")
    return items, (int.from_bytes(announced[4:8]), int.from_bytes(announced[8:12]))


def test_a_gif_with_stray_bytes_between_its_blocks_is_accepted() -> None:
    assert decode(gif_with(bytes(3)), MAX_PIXELS).width == 64


def test_a_bmp_whose_last_row_lacks_its_filling_is_read() -> None:
    """Each row of a BMP is filled up to four bytes."""
    file = io.BytesIO()
    picture(63, 5).save(file, "BMP")
    assert outline(file.getvalue()[:-3], MAX_PIXELS).width == 63
    with pytest.raises(UnreadableImage):
        outline(file.getvalue()[:-4], MAX_PIXELS)


@given(size=st.tuples(st.integers(1, 300), st.integers(1, 300)), quality=st.sampled_from([50, 100]))
@settings(deadline=None, max_examples=20)
def test_the_size_of_av1_data_is_read(size: tuple[int, int], quality: int) -> None:
    items, announced = read_first_item("AVIF", size, quality=quality)
    assert announced == size
    assert count_av1_pixels(items.data(items.primary)) == size[0] * size[1]


@given(size=st.tuples(st.integers(1, 300), st.integers(1, 300)), chroma=st.sampled_from([420, 444]))
@settings(deadline=None, max_examples=20)
def test_the_size_of_hevc_data_is_read(size: tuple[int, int], chroma: int) -> None:
    """The encoder rounds both sides up to its smallest block."""
    items, announced = read_first_item("HEIF", size, chroma=chroma)
    width, height = (-(-side // 8) * 8 for side in announced)
    (configuration,) = items.property_bodies(items.primary, b"hvcC")
    assert count_hevc_pixels(items.data(items.primary), configuration) == width * height


@pytest.mark.parametrize("kind", ["AVIF", "HEIF"])
def test_a_film_beside_the_picture_is_not_given_to_the_decoder(kind: str) -> None:
    frames = [Pillow.new("RGB", (64, 64), colour) for colour in ("red", "blue")]
    file = io.BytesIO()
    frames[0].save(file, kind, save_all=True, append_images=frames[1:])
    data = file.getvalue()
    assert b"moov" not in outline(data, MAX_PIXELS).data
    assert Notice.FIRST_FRAME_ONLY in decode(data, MAX_PIXELS).notices


@pytest.mark.parametrize("kind", ["AVIF", "HEIF"])
def test_metadata_of_an_avif_or_heic_is_not_given_to_the_decoder(kind: str) -> None:
    data = saved(kind, xmp=bytes(1_000))
    assert b"cdsc" in data
    assert b"cdsc" not in outline(data, MAX_PIXELS).data


def test_two_descriptions_of_one_file_are_refused() -> None:
    """A decoder might use the other one."""
    data = saved("AVIF")
    (meta,) = (box for box in read_boxes(data, 0, len(data)) if box.kind == b"meta")
    with pytest.raises(UnreadableImage):
        outline(data + data[meta.start : meta.end], MAX_PIXELS)


class LackingMemory(ImageFile):
    """A decoder that has too little memory."""

    error: Exception = MemoryError()

    def _open(self) -> None:
        raise self.error


@pytest.mark.parametrize(
    "error",
    [MemoryError(), OSError("out of memory when reading image file"), RuntimeError("Memory allocation error: x")],
)
def test_too_little_memory_is_not_called_a_damaged_file(error: Exception) -> None:
    LackingMemory.error = error
    lacking = Format(lambda data, _: Outline(1, 1, (data,)), partial(read_by_pillow, LackingMemory))
    with pytest.raises(Overloaded) as refusal:
        decode_as(lacking, b"file", MAX_PIXELS)
    assert refusal.value.retry_after_s > 0


FORMATS_AND_OPTIONS = [
    ("JPEG", {}),
    ("JPEG", {"progressive": True}),
    ("PNG", {}),
    ("GIF", {}),
    ("BMP", {}),
    ("WEBP", {}),
]
FORMATS_AND_OPTIONS += [("WEBP", {"lossless": True}), ("AVIF", {}), ("HEIF", {})]
FILES = [saved(kind, **options) for kind, options in FORMATS_AND_OPTIONS]


@given(data=st.sampled_from(FILES), changes=st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=8)), max_size=4))
@settings(deadline=None, max_examples=300)
def test_a_changed_file_is_read_or_refused(data: bytes, changes: list[tuple[float, bytes]]) -> None:
    for place, new in changes:
        start = int(place * len(data))
        data = data[:start] + new + data[start + len(new) :]
    with suppress(PhotographError):
        assert decode(data, 10_000).pixels.size <= 3 * 10_000
