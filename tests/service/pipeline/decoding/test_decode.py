import io
import random
import struct
import warnings
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pillow_heif
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image as Pillow

from service.domain.errors import ImageTooComplex, ImageTooLarge, PhotographError, UnreadableImage
from service.domain.image import Image, Notice, Pixels
from service.pipeline.decoding.containers.jpeg import MAX_SCANS
from service.pipeline.decoding.decode import decode

MAX_PIXELS = 1_000_000
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "AVIF", "HEIF")

pillow_heif.register_heif_opener()  # to write the HEIC files of these tests

TO_STORED_PIXELS: dict[int, Callable[[Pixels], Pixels]] = {
    1: lambda upright: upright,
    2: np.fliplr,
    3: lambda upright: np.rot90(upright, 2),
    4: np.flipud,
    5: lambda upright: np.transpose(upright, (1, 0, 2)),
    6: lambda upright: np.rot90(upright, 1),
    7: lambda upright: np.transpose(np.rot90(upright, 2), (1, 0, 2)),
    8: lambda upright: np.rot90(upright, -1),
}
"""How a camera stores an upright image with each EXIF orientation (Exif 2.32, section 4.6.4)."""


def gradient(width: int = 40, height: int = 30) -> Pixels:
    """Return a smooth image with four different corners. JPEG changes it little, and every rotation changes it."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([255 * x // width, 255 * y // height, 255 * (x + y) // (width + height)], 2).astype(np.uint8)


def save_image(image: Pillow.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def encode_pixels(pixels: Pixels, kind: str, **options: object) -> bytes:
    return save_image(Pillow.fromarray(pixels), kind, **options)


def encode_16_bit_png(pixels: NDArray[np.uint16]) -> bytes:
    """Return a 16-bit PNG. pixels: BGR, the order of OpenCV."""
    return cv2.imencode(".png", pixels)[1].tobytes()


def decode_by_opencv(data: bytes) -> NDArray[np.int64]:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB), np.int64)


def exif_with_orientation(orientation: int) -> bytes:
    tags = Pillow.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


def png_header(width: int, height: int) -> bytes:
    """Return a PNG that ends after its header."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return start + struct.pack(">I", 1_000) + b"IDAT"


def jpeg_header(width: int, height: int) -> bytes:
    frame = struct.pack(">BHHB", 8, height, width, 3) + bytes([1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0])
    return (
        b"\xff\xd8\xff\xc0"
        + struct.pack(">H", len(frame) + 2)
        + frame
        + b"\xff\xda\x00\x0c\x03\x01\x00\x02\x11\x03\x11\x00\x3f\x00"
    )


def bmp_header(width: int, height: int) -> bytes:
    return (
        b"BM"
        + struct.pack("<IHHI", 0, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    )


def gif_header(width: int, height: int) -> bytes:
    return (
        b"GIF89a"
        + struct.pack("<HHBBB", width, height, 0, 0, 0)
        + b","
        + struct.pack("<HHHHB", 0, 0, width, height, 0)
        + b"\x08"
    )


def webp_header(width: int, height: int) -> bytes:
    """Return an animation with a canvas of this size and one small frame."""
    small_image = encode_pixels(gradient(8, 8), "WEBP", lossless=True)[12:]
    frame = bytes(6) + struct.pack("<I", 7)[:3] * 2 + bytes(4) + small_image
    canvas = bytes([2, 0, 0, 0]) + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    chunks = b"".join(
        name + struct.pack("<I", len(content)) + content
        for name, content in ((b"VP8X", canvas), (b"ANIM", bytes(6)), (b"ANMF", frame))
    )
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


def with_announced_size(kind: str, width: int, height: int) -> bytes:
    """Return a small AVIF or HEIC file whose image spatial extents box (ISO/IEC 23008-12, 6.5.3) has this size."""
    data = encode_pixels(gradient(64, 64), kind)
    return data.replace(b"ispe" + struct.pack(">III", 0, 64, 64), b"ispe" + struct.pack(">III", 0, width, height))


HEADERS: dict[str, Callable[[int, int], bytes]] = {
    "PNG": png_header,
    "JPEG": jpeg_header,
    "BMP": bmp_header,
    "GIF": gif_header,
    "WEBP": webp_header,
    "AVIF": partial(with_announced_size, "AVIF"),
    "HEIF": partial(with_announced_size, "HEIF"),
}


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("BMP", {}), ("WEBP", {"lossless": True})])
def test_the_pixels_are_the_same_in_every_lossless_format(kind: str, options: dict[str, object]) -> None:
    image = decode(encode_pixels(gradient(), kind, **options), MAX_PIXELS)
    np.testing.assert_array_equal(image.pixels, gradient())
    assert image.notices == ()


@pytest.mark.parametrize(("kind", "tolerance"), [("JPEG", 8), ("WEBP", 16), ("GIF", 60), ("AVIF", 16), ("HEIF", 16)])
def test_lossy_formats_keep_the_image(kind: str, tolerance: int) -> None:
    image = decode(encode_pixels(gradient(), kind, quality=95), MAX_PIXELS)
    np.testing.assert_allclose(image.pixels.astype(int), gradient().astype(int), atol=tolerance)


def test_a_jpeg_has_the_same_pixels_as_with_opencv(obama: bytes) -> None:
    np.testing.assert_allclose(decode(obama, 2 * MAX_PIXELS).pixels.astype(int), decode_by_opencv(obama), atol=3)


@pytest.mark.parametrize("orientation", TO_STORED_PIXELS)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF", "HEIF"])
def test_an_image_is_upright_for_every_exif_orientation(kind: str, orientation: int) -> None:
    stored = encode_pixels(
        TO_STORED_PIXELS[orientation](gradient()),
        kind,
        exif=exif_with_orientation(orientation),
        quality=95,
    )
    image = decode(stored, MAX_PIXELS)
    assert (image.width, image.height) == (40, 30)
    np.testing.assert_allclose(image.pixels.astype(int), gradient().astype(int), atol=0 if kind == "PNG" else 16)


@pytest.mark.parametrize("orientation", TO_STORED_PIXELS)
def test_a_jpeg_is_rotated_as_opencv_rotates_it(orientation: int) -> None:
    data = encode_pixels(gradient(), "JPEG", exif=exif_with_orientation(orientation), quality=95)
    np.testing.assert_allclose(decode(data, MAX_PIXELS).pixels.astype(int), decode_by_opencv(data), atol=3)


@pytest.mark.parametrize(
    "tags",
    [b"", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", exif_with_orientation(9)],
)
def test_an_invalid_orientation_is_ignored(tags: bytes) -> None:
    np.testing.assert_array_equal(decode(encode_pixels(gradient(), "PNG", exif=tags), MAX_PIXELS).pixels, gradient())


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF", "HEIF"])
def test_the_first_frame_of_an_animation_is_used_with_a_notice(kind: str) -> None:
    red, blue = (Pillow.new("RGB", (20, 10), colour) for colour in ("red", "blue"))
    image = decode(save_image(red, kind, save_all=True, append_images=[blue, red], lossless=True), MAX_PIXELS)
    assert image.pixels.shape == (10, 20, 3)
    np.testing.assert_allclose(image.pixels, np.broadcast_to((255, 0, 0), (10, 20, 3)), atol=3)
    assert Notice.FIRST_FRAME_ONLY in image.notices


def test_the_first_image_of_a_file_with_several_jpegs_is_used() -> None:
    red, blue = (Pillow.new("RGB", (20, 10), colour) for colour in ("red", "blue"))
    image = decode(save_image(red, "MPO", save_all=True, append_images=[blue]), MAX_PIXELS)
    assert image.pixels[5, 10].tolist() == pytest.approx([255, 0, 0], abs=3)


def test_16_bit_colours_become_8_bit() -> None:
    pixels = gradient()
    image = decode(encode_16_bit_png(pixels[:, :, ::-1].astype(np.uint16) * 257), MAX_PIXELS)
    np.testing.assert_array_equal(image.pixels, pixels)
    assert image.notices == (Notice.CONVERTED_COLOURS,)


def test_16_bit_grey_becomes_8_bit() -> None:
    grey = gradient()[:, :, 0]
    image = decode(encode_16_bit_png(grey.astype(np.uint16) * 257), MAX_PIXELS)
    np.testing.assert_array_equal(image.pixels, np.repeat(grey[:, :, np.newaxis], 3, axis=2))
    assert image.notices == (Notice.CONVERTED_COLOURS,)


def test_16_bit_transparent_pixels_become_8_bit_white() -> None:
    pixels = np.full((10, 20, 4), 65535, np.uint16) * np.array([0, 0, 1, 0], np.uint16)  # transparent red, as BGRA
    image = decode(encode_16_bit_png(pixels), MAX_PIXELS)
    assert (image.pixels == 255).all()
    assert image.notices == (Notice.CONVERTED_COLOURS,)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("CMYK", "JPEG"), ("P", "PNG"), ("P", "BMP"), ("P", "GIF"), ("LA", "PNG"), ("RGBA", "PNG")],
)
def test_other_colour_modes_are_converted_with_a_notice(mode: str, kind: str) -> None:
    image = decode(save_image(Pillow.new("RGB", (20, 10), "white").convert(mode), kind), MAX_PIXELS)
    assert image.pixels.shape == (10, 20, 3)
    assert (image.pixels >= 254).all()
    assert image.notices == (Notice.CONVERTED_COLOURS,)


def test_cmyk_keeps_its_colours() -> None:
    data = save_image(Pillow.fromarray(gradient()).convert("CMYK"), "JPEG", quality=95)
    np.testing.assert_allclose(decode(data, MAX_PIXELS).pixels.astype(int), gradient().astype(int), atol=12)


@pytest.mark.parametrize("mode", ["L", "1"])
def test_grey_images_and_black_and_white_images_get_no_notice(mode: str) -> None:
    image = decode(save_image(Pillow.new("RGB", (20, 10), "white").convert(mode), "PNG"), MAX_PIXELS)
    assert (image.pixels == 255).all()
    assert image.notices == ()


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_transparent_pixels_are_blended_with_white(kind: str) -> None:
    pixels = np.zeros((10, 20, 4), np.uint8)
    pixels[:, 10:] = (0, 0, 255, 128)
    image = decode(save_image(Pillow.fromarray(pixels), kind, lossless=True), MAX_PIXELS)
    assert (image.pixels[:, :10] == 255).all()
    assert image.pixels[0, 15].tolist() == pytest.approx([127, 127, 255], abs=1)
    assert image.notices == (Notice.CONVERTED_COLOURS,)


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_transparent_colour_of_a_palette_becomes_white(kind: str) -> None:
    red = Pillow.new("RGB", (20, 10), "red").convert("P")
    image = decode(save_image(red, kind, transparency=red.getpixel((0, 0))), MAX_PIXELS)
    assert (image.pixels == 255).all()
    assert image.notices == (Notice.CONVERTED_COLOURS,)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_single_pixel_is_an_image(kind: str) -> None:
    assert decode(encode_pixels(gradient(1, 1), kind), MAX_PIXELS).pixels.shape == (1, 1, 3)


@pytest.mark.parametrize("kind", FORMATS)
def test_an_image_at_the_pixel_limit_is_accepted_and_with_one_more_row_refused(kind: str) -> None:
    assert decode(encode_pixels(gradient(40, 30), kind), 40 * 30).width == 40
    with pytest.raises(ImageTooLarge, match="40 x 31 pixels is larger than the limit of 1200"):
        decode(encode_pixels(gradient(40, 31), kind), 40 * 30)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_huge_image_is_refused_from_its_header_alone(kind: str) -> None:
    """The file has no pixels of this size, so none can be decoded."""
    with pytest.raises(ImageTooLarge):
        decode(HEADERS[kind](15_000, 15_000), 50_000_000)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF"])
def test_the_headers_of_these_tests_are_valid(kind: str) -> None:
    with pytest.raises(UnreadableImage, match="cut off or damaged"):
        decode(HEADERS[kind](200, 100), MAX_PIXELS)


def test_a_frame_that_is_larger_than_its_canvas_is_refused() -> None:
    data = bytearray(gif_header(100, 100))
    data[18:22] = struct.pack("<HH", 65_535, 65_535)
    with pytest.raises(PhotographError):
        decode(bytes(data), MAX_PIXELS)


def test_a_compressed_text_that_is_too_large_is_not_read() -> None:
    text = b"zTXt" + b"Comment\0\0" + zlib.compress(bytes(100_000_000))
    data = encode_pixels(gradient(), "PNG")
    bomb = data[:33] + struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text)) + data[33:]
    np.testing.assert_array_equal(decode(bomb, MAX_PIXELS).pixels, gradient())


def test_a_jpeg_of_thousands_of_scans_is_refused_before_any_is_decoded() -> None:
    scan = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00"
    with pytest.raises(ImageTooComplex, match="more than 10 scans"):
        decode(jpeg_header(1_000, 1_000) + 5_000 * scan, MAX_PIXELS)


def test_data_after_the_end_of_a_jpeg_is_not_counted_as_scans() -> None:
    """Cameras append videos to photographs."""
    data = encode_pixels(gradient(), "JPEG") + random.Random(0).randbytes(2**24)  # noqa: S311  # noise, not a secret
    assert data.count(b"\xff\xda") > MAX_SCANS
    assert decode(data, MAX_PIXELS).width == 40


def test_a_progressive_jpeg_is_accepted() -> None:
    assert decode(encode_pixels(gradient(), "JPEG", progressive=True), MAX_PIXELS).width == 40


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(UnreadableImage, match="empty"):
        decode(b"", MAX_PIXELS)


@pytest.mark.parametrize(
    "data",
    [
        b"hello",
        b"\0" * 1000,
        b"%PDF-1.7\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"RIFF\x24\0\0\0WAVEfmt ",
        b"II*\0\x08\0\0\0",
    ],
)
def test_data_that_is_not_an_image_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableImage):
        decode(data, MAX_PIXELS)


def test_the_error_of_an_unsupported_format_names_the_supported_formats() -> None:
    with pytest.raises(UnreadableImage, match="Send a JPEG, PNG, WebP, AVIF, HEIC, BMP or GIF"):
        decode(encode_pixels(gradient(), "TIFF"), MAX_PIXELS)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_file_is_refused(kind: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = encode_pixels(noise, kind)
    with pytest.raises(UnreadableImage):
        decode(data[: int(share * len(data))], MAX_PIXELS)


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
@pytest.mark.parametrize("missing_bytes", [1, 2])
def test_a_jpeg_that_lacks_only_its_end_is_accepted_with_a_notice(options: dict[str, bool], missing_bytes: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = encode_pixels(noise, "JPEG", **options)
    image = decode(data[:-missing_bytes], MAX_PIXELS)
    np.testing.assert_array_equal(image.pixels, decode(data, MAX_PIXELS).pixels)
    assert image.notices == (Notice.END_MISSING,)


@pytest.mark.parametrize("missing_bytes", [3, 4, 5, 8, 40, 400])
def test_a_jpeg_that_lacks_a_few_pixels_is_refused(missing_bytes: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    with pytest.raises(UnreadableImage, match="cut off or damaged"):
        decode(encode_pixels(noise, "JPEG")[:-missing_bytes], MAX_PIXELS)


def test_a_film_is_not_an_image() -> None:
    film = struct.pack(">I4s4sI4s4s", 24, b"ftyp", b"isom", 512, b"isom", b"mp42") + bytes(1_000)
    with pytest.raises(UnreadableImage, match="not an image of a known format"):
        decode(film, MAX_PIXELS)


@pytest.fixture(scope="module")
def small_photographs(photographs: Path) -> dict[str, bytes]:
    """Return a real photograph of a few kilobytes in each format, with an EXIF orientation if the format has one."""
    face = Pillow.open(photographs / "obama" / "obama.jpg").convert("RGB").resize((48, 64))
    return {kind: save_image(face, kind, exif=exif_with_orientation(6)) for kind in FORMATS}


@pytest.mark.parametrize("kind", FORMATS)
@settings(max_examples=100, deadline=None)
@given(
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=12),
    share=st.floats(0, 1),
)
@example(changes=[], share=1.0)
def test_a_damaged_file_is_decoded_or_refused(
    small_photographs: dict[str, bytes], kind: str, changes: list[tuple[float, int]], share: float
) -> None:
    data = bytearray(small_photographs[kind])
    for position, value in changes:
        # Half of the changes are made in the first 64 bytes, because headers are short.
        index = int(2 * position * 64) if position < 0.5 else int((2 * position - 1) * len(data))
        data[index] = value
    assert_decodes_or_refuses(bytes(data[: max(1, int(share * len(data)))]) if share < 0.5 else bytes(data))


@settings(max_examples=200, deadline=None)
@given(
    start=st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\x24\0\0\0WEBPVP8 ", b"BM", b"GIF89a"]),
    rest=st.binary(max_size=400),
)
def test_noise_after_the_signature_of_a_format_is_decoded_or_refused(start: bytes, rest: bytes) -> None:
    assert_decodes_or_refuses(start + rest)


def assert_decodes_or_refuses(data: bytes) -> None:
    with warnings.catch_warnings(record=True) as caught_warnings:
        warnings.simplefilter("always")
        try:
            assert isinstance(decode(data, MAX_PIXELS), Image)
        except PhotographError as error:
            assert str(error).endswith(".")  # noqa: PT017  # either outcome is right
    assert not caught_warnings
