"""The readers: from an outline to the pixels of its picture, upright, RGB.

Pillow reads most formats, because it reports bit depth and colours. OpenCV reads WebP: it takes a third of the memory
of Pillow, whose reader keeps several canvases for animations. The pixels are the same.
"""

import io
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL.ImageFile import ImageFile
from pillow_heif import HeifImageFile

from service.domain.image import Image, Notice, Pixels
from service.pipeline.decoding.containers.outline import Outline, check_size, cut_off
from service.pipeline.decoding.containers.webp import has_transparency
from service.pipeline.decoding.orientation import make_upright

STRIP_PIXELS = 2**20
"""Colours are converted in strips of about this many pixels. So a large picture is in memory as RGB only once."""


def read_by_pillow(reader: type[ImageFile], outline: Outline, max_pixels: int, reduction: int) -> Image:
    """Decode a picture by one of Pillow's classes. Raises ImageTooLarge. Raises many types if the file is damaged."""
    picture = reader(io.BytesIO(outline.data))
    check_size(*picture.size, max_pixels)
    reduction = _reduce(picture, reduction)
    has_more = outline.has_more_pictures or (isinstance(picture, HeifImageFile) and picture.is_animated)
    sixteen_bit = any(";16B" in str(tile.args) for tile in picture.tile)  # 16 bits a colour: Pillow keeps the upper 8
    exif = outline.exif or picture.info.get("exif") or b""
    rgbx = _load(picture)
    check_size(*picture.size, max_pixels)  # some readers know the size only now
    is_converted = sixteen_bit or picture.mode not in {"1", "L", "RGB"} or picture.has_transparency_data
    if rgbx is None or picture.has_transparency_data:
        pixels = _in_strips(*picture.size, lambda top, bottom: _rgb(_strip(picture, top, bottom)))
    else:
        pixels = _without_fourth_byte(rgbx)
    picture.close()
    image = _image(pixels, exif, has_more=has_more, is_converted=is_converted)
    return replace(image, reduction=reduction)


def _reduce(picture: ImageFile, reduction: int) -> int:
    """Make the reader decode at reduced scale (`scale_denom` of libjpeg). Return the reduction that it will use."""
    if reduction == 1 or min(picture.size) < reduction:
        return 1
    picture.draft(None, (picture.width // reduction, picture.height // reduction))
    return reduction


def _load(picture: ImageFile) -> NDArray[np.uint8] | None:
    """Decode an RGB picture into an array, (h, w, 4) uint8. Pillow keeps a fourth byte for each pixel.

    Return None if the picture is in other colours, or if its reader has memory of its own. It is decoded all the same.
    """
    if picture.mode != "RGB":
        picture.load()
        return None
    # Not `empty`: a reader may leave out pixels, and the memory could hold another photograph.
    rgbx = np.zeros((picture.height, picture.width, 4), np.uint8)
    memory = Pillow.frombuffer("RGB", picture.size, rgbx, "raw", "RGBX", 0, 1).im
    picture.im = memory
    picture.load()
    return rgbx if picture.im is memory else None


def _without_fourth_byte(rgbx: NDArray[np.uint8]) -> Pixels:
    """Move the pixels together, in the same memory. Each strip is written where strips were that are already read."""
    height, width = rgbx.shape[:2]
    pixels = rgbx.reshape(-1)[: height * width * 3].reshape(height, width, 3)
    rows = max(1, STRIP_PIXELS // width)
    for top in range(0, height, rows):
        pixels[top : top + rows] = cv2.cvtColor(rgbx[top : top + rows], cv2.COLOR_RGBA2RGB)
    return pixels


def read_webp(outline: Outline, _max_pixels: int, _reduction: int) -> Image:
    """Decode a WebP picture. Raises UnreadableImage, MemoryError."""
    data = outline.data
    is_transparent = has_transparency(data)
    mode = cv2.IMREAD_UNCHANGED if is_transparent else cv2.IMREAD_COLOR_RGB
    frame = _decode_by_opencv(data, mode | cv2.IMREAD_IGNORE_ORIENTATION)
    height, width = frame.shape[:2]
    if is_transparent:
        frame = _in_strips(width, height, lambda top, bottom: _bgra_on_white(frame[top:bottom]))
    is_whole = (width, height) == (outline.width, outline.height)
    pixels = frame if is_whole else _on_canvas(frame, outline)
    return _image(pixels, outline.exif, has_more=outline.has_more_pictures, is_converted=is_transparent or not is_whole)


def _decode_by_opencv(data: bytes, flags: int) -> Pixels:
    try:
        frame = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise (MemoryError() if error.code == cv2.Error.StsNoMem else cut_off()) from None
    if frame is None:
        raise cut_off()
    return np.asarray(frame, np.uint8)


def _image(pixels: Pixels, exif: bytes, *, has_more: bool, is_converted: bool) -> Image:
    notices = [Notice.FIRST_FRAME_ONLY] * has_more + [Notice.CONVERTED_COLOURS] * is_converted
    return Image(make_upright(pixels, exif), tuple(notices))


def _in_strips(width: int, height: int, make_strip: Callable[[int, int], Pixels]) -> Pixels:
    """Make a picture of strips. make_strip: from the first row and the row after the last one to (n, w, 3) uint8."""
    rows = max(1, STRIP_PIXELS // width)
    if rows >= height:
        return make_strip(0, height)
    pixels = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, rows):
        bottom = min(height, top + rows)
        pixels[top:bottom] = make_strip(top, bottom)
    return pixels


def _strip(picture: Pillow.Image, top: int, bottom: int) -> Pillow.Image:
    return picture if bottom - top == picture.height else picture.crop((0, top, picture.width, bottom))


def _rgb(picture: Pillow.Image) -> Pixels:
    if picture.mode == "I;16":
        picture = Pillow.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    elif picture.has_transparency_data:
        picture = _on_white(picture.convert("RGBA"))
    return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))


def _bgra_on_white(pixels: Pixels) -> Pixels:
    return np.asarray(_on_white(Pillow.fromarray(np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA), np.uint8))))


def _on_white(picture: Pillow.Image) -> Pillow.Image:
    background = Pillow.new("RGB", picture.size, "white")
    background.paste(picture, mask=picture.getchannel("A"))
    return background


def _on_canvas(frame: Pixels, outline: Outline) -> Pixels:
    """Put a frame on a white canvas."""
    x, y = outline.corner
    canvas = np.full((outline.height, outline.width, 3), 255, np.uint8)
    canvas[y : y + frame.shape[0], x : x + frame.shape[1]] = frame
    return canvas
