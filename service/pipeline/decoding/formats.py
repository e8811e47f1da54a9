"""The accepted formats, by the first bytes of a file.

`PIL.Image.open` is not used. It would warn about large pictures, read MPO files itself, and accept every format that is
installed. JPEG 2000 is left out: no phone and no browser writes it, and each decoder is a risk.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pillow_heif
from PIL import AvifImagePlugin
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from service.domain.errors import UnreadableImage
from service.domain.image import Image
from service.pipeline.decoding.containers.bmp import outline_bmp
from service.pipeline.decoding.containers.gif import outline_gif
from service.pipeline.decoding.containers.heif import outline_heif
from service.pipeline.decoding.containers.jpeg import JPEG_START, outline_jpeg
from service.pipeline.decoding.containers.outline import Outline
from service.pipeline.decoding.containers.png import PNG_START, outline_png
from service.pipeline.decoding.containers.webp import outline_webp
from service.pipeline.decoding.pictures import read_by_pillow, read_webp

# Photographs are decoded in parallel already.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1
pillow_heif.options.DECODE_THREADS = 1
# Only the picture is needed. What is not read cannot do harm.
pillow_heif.options.THUMBNAILS = False
pillow_heif.options.DEPTH_IMAGES = False
pillow_heif.options.AUX_IMAGES = False


@dataclass(frozen=True, slots=True)
class Format:
    """A format. Both functions also take the most pixels of a picture.

    outline: reads the structure of a file, and opens no decoder.
    read: decodes the picture of an outline, at a reduction that is 1 unless the outline is reducible.
    """

    outline: Callable[[bytes, int], Outline]
    read: Callable[[Outline, int, int], Image]


_FORMATS = {
    JPEG_START: Format(outline_jpeg, partial(read_by_pillow, JpegImageFile)),
    PNG_START: Format(outline_png, partial(read_by_pillow, PngImageFile)),
    b"RIFF": Format(outline_webp, read_webp),
    b"BM": Format(outline_bmp, partial(read_by_pillow, BmpImageFile)),
    b"GIF8": Format(outline_gif, partial(read_by_pillow, GifImageFile)),
}
_AVIF = Format(outline_heif, partial(read_by_pillow, AvifImageFile))
_HEIC = Format(outline_heif, partial(read_by_pillow, pillow_heif.HeifImageFile))

_AVIF_BRANDS = {b"avif", b"avis"}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
"""The brands of still pictures and of bursts (ISO/IEC 23008-12, annex B; AV1 Image File Format, section 6)."""

MAX_BRANDS_BYTES = 256
"""A file type box lists a handful of brands, of four bytes each."""

MAX_TEXT_BYTES = 256
TEXT_INSTEAD = "This is text, and not the bytes of an image."
NAME_INSTEAD = "It looks like the name of a file: send the file itself (curl: -F image=@FILE)."
JSON_INSTEAD = "It looks like JSON: then the whole body must be JSON."
FILE_NAME = re.compile(rb"\S(.*\S)?\.[A-Za-z0-9]{2,5}")
"""A text of one line that ends with a suffix."""


def find_format(data: bytes) -> Format:
    """Return the format of a file. Raises UnreadableImage if it is empty, or not accepted."""
    if not data:
        raise UnreadableImage("The image is empty. Send the file's bytes.")
    for start, found in _FORMATS.items():
        if data.startswith(start):
            return found
    brands = _brands(data)
    if brands & _AVIF_BRANDS:
        return _AVIF
    if brands & _HEIF_BRANDS:
        return _HEIC
    reason = _text_instead(data) if _is_text(data[:MAX_TEXT_BYTES]) else "This is not an image of a known format."
    raise UnreadableImage(f"{reason} Send a JPEG, PNG, WebP, AVIF, HEIC, BMP or GIF.")


def _text_instead(data: bytes) -> str:
    """Say what a text is that came as an image. A text file gets no advice about requests, because a person sent it."""
    if data[:MAX_TEXT_BYTES].lstrip().startswith((b"{", b"[", b'"')):
        return f"{TEXT_INSTEAD} {JSON_INSTEAD}"
    if len(data) <= MAX_TEXT_BYTES and FILE_NAME.fullmatch(data):
        return f"{TEXT_INSTEAD} {NAME_INSTEAD}"
    return TEXT_INSTEAD


def _is_text(start: bytes) -> bool:
    return start.isascii() and not any(byte < ord(" ") and byte not in b"\t\r\n" for byte in start)


def _brands(data: bytes) -> set[bytes]:
    """Return the brands of an ISO base media file: the major one and the compatible ones (ISO/IEC 14496-12, 4.3)."""
    size = int.from_bytes(data[:4], "big")
    if data[4:8] != b"ftyp" or not 16 <= size <= MAX_BRANDS_BYTES:
        return set()
    box = data[8:size]
    return {box[start : start + 4] for start in (0, *range(8, len(box), 4))}
