"""Decode the bytes of a photograph: the first picture of the file, upright, RGB.

First the structure of the file is read, in a limited number of steps. A decoder is opened only if the picture is not
too large and the file is not too complex. It gets only what it needs of the file.
"""

import hashlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from PIL import Image as Pillow

from service.domain.errors import ImageTooLarge, Overloaded, PhotographError, UnreadableImage
from service.domain.image import Image, Notice
from service.pipeline.decoding.containers.outline import Outline, cut_off, too_complex
from service.pipeline.decoding.cut_off import lacks_end, with_ends
from service.pipeline.decoding.formats import Format, find_format

ChooseReduction = Callable[[int, int], int]
"""From the width and the height of a photograph, in pixels, to the reduction that is enough: 1, 2, 4 or 8."""


def full_size(_width: int, _height: int) -> int:
    """Decode every pixel."""
    return 1


def outline(data: bytes, max_pixels: int) -> Outline:
    """Read the structure of a file. No pixel is decoded, and no decoder is opened.

    Raises ImageTooLarge if the picture has more than `max_pixels`, or a side of more than 65,535 pixels. Raises
    ImageTooComplex if it would take a decoder too long or too much memory. Raises UnreadableImage if the file is empty,
    cut off, damaged or in another format.
    """
    return find_format(data).outline(data, max_pixels)


def decode(data: bytes, max_pixels: int, choose_reduction: ChooseReduction = full_size) -> Image:
    """Decode a JPEG, MPO, PNG, APNG, WebP, AVIF, HEIC, BMP or GIF file.

    A JPEG that has all colours in one scan is decoded at the chosen reduction, everything else at its full size.
    Transparent pixels become white, as most viewers show them. A JPEG that lacks only its end gets a notice.
    Raises the errors of `outline`. Raises Overloaded if there is too little memory now.
    """
    try:
        return decode_as(find_format(data), data, max_pixels, choose_reduction)
    except UnreadableImage:
        if lacks_end(data) and (image := _decode_without_end(data, max_pixels)):
            return image
        raise


def decode_as(kind: Format, data: bytes, max_pixels: int, choose_reduction: ChooseReduction = full_size) -> Image:
    """Decode a file of this format. Raises the errors of `decode`."""
    try:
        found = kind.outline(data, max_pixels)
        reduction = choose_reduction(found.width, found.height) if found.is_reducible else 1
        return kind.read(found, max_pixels, reduction)
    except PhotographError:
        raise
    except Exception as error:  # decoders raise many types, from SyntaxError to struct.error
        raise _meaning(error) from error


def _meaning(error: Exception) -> PhotographError | Overloaded:
    """Return what an error of a decoder means. Some decoders have no type of their own for a lack of memory."""
    if isinstance(error, Pillow.DecompressionBombError | Pillow.DecompressionBombWarning):
        return ImageTooLarge("The image is larger than its decoder accepts. Send a smaller one.")
    text = str(error).lower()
    if "security limit" in text:
        return too_complex("The structure of the file is too large")
    if isinstance(error, MemoryError) or "out of memory" in text or "memory allocation error" in text:
        return Overloaded("There is too little memory for the photograph now. Try again later.", retry_after_s=5)
    return cut_off()


def _decode_without_end(data: bytes, max_pixels: int) -> Image | None:
    """Decode a JPEG that lacks only its end marker. Return None if pixels are missing too."""
    ended, with_other_pixels = with_ends(data)
    try:
        digest = _digest(decode(with_other_pixels, max_pixels))
        image = decode(ended, max_pixels)
    except UnreadableImage:
        return None
    return replace(image, notices=(*image.notices, Notice.END_MISSING)) if _digest(image) == digest else None


def _digest(image: Image) -> bytes:
    """Return a digest of the pixels. Two large pictures would take twice the memory."""
    digest = hashlib.blake2b()
    for row in image.pixels:
        digest.update(np.ascontiguousarray(row).data)
    return digest.digest()
