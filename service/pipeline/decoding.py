"""Decode the bytes of a photograph: the first picture of the file, upright, RGB.

The size is checked before a pixel is decoded. Pillow decodes every format, so there is one code path. OpenCV is faster:
1.6 times for a JPEG of 12 megapixels, 1.2 times for one of 250 x 250 pixels. But it does not report frames, bit depth,
or what is wrong with a damaged file.
"""

import io
import re
from collections.abc import Iterator

import numpy as np
from PIL import Image as Pillow
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from service.domain.errors import ImageTooLarge, PhotographError, UnreadableImage
from service.domain.image import Image, Notice, Pixels

MAX_JPEG_SCANS = 100
"""A progressive JPEG has about ten scans. A scan can cover all pixels even if it is empty.

So thousands of empty scans would take hours.
"""

JPEG_SCAN = re.compile(rb"\xff\xda\x00(?:\x08\x01|\x0a\x02|\x0c\x03|\x0e\x04)")
"""The marker of a scan, its length, and its number of components (ISO/IEC 10918-1, B.2.3).

libjpeg accepts no other length. The marker alone is not enough: it also occurs by chance, for example in the video that
a phone appends to a photograph.
"""

EXIF_ORIENTATION = 0x0112
EXIF_TRANSPOSES = {
    2: Pillow.Transpose.FLIP_LEFT_RIGHT,
    3: Pillow.Transpose.ROTATE_180,
    4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE,
    6: Pillow.Transpose.ROTATE_270,
    7: Pillow.Transpose.TRANSVERSE,
    8: Pillow.Transpose.ROTATE_90,
}
"""The operation that makes a picture upright, by its EXIF orientation (Exif 2.32, section 4.6.4)."""


class _FirstJpeg(JpegImageFile):
    """Reads the first picture of a JPEG or MPO file."""

    def _read_dpi_from_exif(self) -> None:
        """Do nothing. The resolution is not needed, and Pillow warns or raises if the EXIF data is damaged."""


READERS: dict[bytes, type[ImageFile]] = {
    b"\xff\xd8\xff": _FirstJpeg,
    b"\x89PNG\r\n\x1a\n": PngImageFile,
    b"RIFF": WebPImageFile,
    b"BM": BmpImageFile,
    b"GIF8": GifImageFile,
}
"""The accepted formats, by their first bytes.

Pillow's `open` would warn about large pictures and read MPO files itself.
"""


def decode(data: bytes, max_pixels: int) -> Image:
    """Decode a JPEG, MPO, PNG, APNG, WebP, BMP or GIF file.

    Transparent pixels become white, as most viewers show them.
    Raises ImageTooLarge if the header announces more than `max_pixels`. Raises UnreadableImage if the file is empty,
    cut off, damaged or in another format.
    """
    reader = _reader(data)
    try:
        picture = reader(io.BytesIO(data))
        _check_size(picture.size, max_pixels)
        notices = tuple(_notices(picture))
        return Image(_rgb(_upright(picture)), notices)
    except PhotographError:
        raise
    except (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning):
        raise _too_large("The picture", max_pixels) from None
    except Exception as error:  # Pillow's parsers raise many types, from SyntaxError to struct.error
        raise UnreadableImage("The image is cut off or damaged. Send the whole file.") from error


def _reader(data: bytes) -> type[ImageFile]:
    if not data:
        raise UnreadableImage("The image is empty. Send the file's bytes.")
    if data.startswith(b"\xff\xd8\xff") and len(JPEG_SCAN.findall(data)) > MAX_JPEG_SCANS:
        raise UnreadableImage(f"The JPEG has more than {MAX_JPEG_SCANS} scans. Save it as a baseline JPEG.")
    for magic, reader in READERS.items():
        if data.startswith(magic):
            return reader
    raise UnreadableImage("This is not an image of a known format. Send a JPEG, PNG, WebP, BMP or GIF.")


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise _too_large(f"The image of {width} x {height} pixels", max_pixels)


def _too_large(subject: str, max_pixels: int) -> ImageTooLarge:
    return ImageTooLarge(f"{subject} is larger than the limit of {max_pixels} pixels. Send a smaller one.")


def _notices(picture: ImageFile) -> Iterator[Notice]:
    """List the changes, and decode the picture. Some facts are only known before decoding, so they are read first."""
    if getattr(picture, "is_animated", False):
        yield Notice.FIRST_FRAME_ONLY
    sixteen_bit = any(";16B" in str(tile.args) for tile in picture.tile)  # 16 bits a colour: Pillow keeps the upper 8
    picture.load()
    if sixteen_bit or picture.mode not in {"1", "L", "RGB"} or picture.has_transparency_data:
        yield Notice.CONVERTED_COLOURS


def _upright(picture: Pillow.Image) -> Pillow.Image:
    transpose = EXIF_TRANSPOSES.get(_orientation(picture.info.get("exif")))
    return picture if transpose is None else picture.transpose(transpose)


def _orientation(exif: object) -> int:
    """Read the orientation from the first directory of an EXIF block (a TIFF file).

    The result is 1 or 0 if the orientation is absent or damaged.
    """
    tiff = exif.removeprefix(b"Exif\0\0") if isinstance(exif, bytes) else b""

    def number(at: int, size: int) -> int:
        return int.from_bytes(tiff[at : at + size], "little" if tiff.startswith(b"II") else "big")

    directory = number(4, 4)
    for entry in range(directory + 2, directory + 2 + 12 * number(directory, 2), 12):
        if number(entry, 2) == EXIF_ORIENTATION:
            return number(entry + 8, 2)
    return 1


def _rgb(picture: Pillow.Image) -> Pixels:
    if picture.mode == "I;16":
        picture = Pillow.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    elif picture.has_transparency_data:
        picture = _on_white(picture.convert("RGBA"))
    return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))


def _on_white(picture: Pillow.Image) -> Pillow.Image:
    background = Pillow.new("RGB", picture.size, "white")
    background.paste(picture, mask=picture.getchannel("A"))
    return background
