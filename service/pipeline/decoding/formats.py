"""The accepted formats, by the first bytes of a file.

`PIL.Image.open` is not used. It would warn about large pictures, read MPO files itself, and accept every format that is
installed. JPEG 2000 is left out: no phone and no browser writes it, and each decoder is a risk.
"""

import pillow_heif
from PIL import AvifImagePlugin
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from service.domain.errors import UnreadableImage
from service.pipeline.decoding.jpeg import JPEG_START, FirstJpeg

# Photographs are decoded in parallel already.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1
pillow_heif.options.DECODE_THREADS = 1
# Only the picture is needed. What is not read cannot do harm.
pillow_heif.options.THUMBNAILS = False
pillow_heif.options.DEPTH_IMAGES = False
pillow_heif.options.AUX_IMAGES = False

_READERS: dict[bytes, type[ImageFile]] = {
    JPEG_START: FirstJpeg,
    b"\x89PNG\r\n\x1a\n": PngImageFile,
    b"RIFF": WebPImageFile,
    b"BM": BmpImageFile,
    b"GIF8": GifImageFile,
}

_AVIF_BRANDS = {b"avif", b"avis"}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
"""The brands of still pictures and of bursts (ISO/IEC 23008-12, annex B; AV1 Image File Format, section 6)."""

MAX_BRANDS_BYTES = 256
"""A file type box lists a handful of brands, of four bytes each."""


def find_reader(data: bytes) -> type[ImageFile]:
    """Return Pillow's class that reads this file. Raises UnreadableImage if the format is not accepted."""
    for start, reader in _READERS.items():
        if data.startswith(start):
            return reader
    brands = _brands(data)
    if brands & _AVIF_BRANDS:
        return AvifImageFile
    if brands & _HEIF_BRANDS:
        return pillow_heif.HeifImageFile
    raise UnreadableImage("This is not an image of a known format. Send a JPEG, PNG, WebP, AVIF, HEIC, BMP or GIF.")


def _brands(data: bytes) -> set[bytes]:
    """Return the brands of an ISO base media file: the major one and the compatible ones (ISO/IEC 14496-12, 4.3)."""
    size = int.from_bytes(data[:4], "big")
    if data[4:8] != b"ftyp" or not 16 <= size <= MAX_BRANDS_BYTES:
        return set()
    box = data[8:size]
    return {box[start : start + 4] for start in (0, *range(8, len(box), 4))}
