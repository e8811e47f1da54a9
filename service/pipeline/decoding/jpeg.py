"""What only JPEG needs: the first picture of a file, the number of scans, and files that lack their end."""

import re

from PIL.JpegImagePlugin import JpegImageFile

from service.domain.errors import UnreadableImage

JPEG_START = b"\xff\xd8\xff"
JPEG_END = b"\xff\xd9"

OTHER_PIXELS = b"\xaa" * 4096
"""Bytes that stand for lost pixels. They hold no marker, and a decoder does not read them as "no more pixels"."""

MAX_JPEG_SCANS = 100
"""A progressive JPEG has about ten scans. A scan can cover all pixels even if it is empty.

So thousands of empty scans would take hours.
"""

JPEG_SCAN = re.compile(rb"\xff\xda\x00(?:\x08\x01|\x0a\x02|\x0c\x03|\x0e\x04)")
"""The marker of a scan, its length, and its number of components (ISO/IEC 10918-1, B.2.3).

libjpeg accepts no other length. The marker alone is not enough: it also occurs by chance, for example in the video that
a phone appends to a photograph.
"""


class FirstJpeg(JpegImageFile):
    """Reads the first picture of a JPEG or MPO file."""

    def _read_dpi_from_exif(self) -> None:
        """Do nothing. The resolution is not needed, and Pillow warns or raises if the EXIF data is damaged."""


def check_scans(data: bytes) -> None:
    """Raise UnreadableImage if a JPEG has too many scans."""
    if len(JPEG_SCAN.findall(data)) > MAX_JPEG_SCANS:
        raise UnreadableImage(f"The JPEG has more than {MAX_JPEG_SCANS} scans. Save it as a baseline JPEG.")


def lacks_end(data: bytes) -> bool:
    """Return whether the file is a JPEG that does not end with its end marker."""
    return data.startswith(JPEG_START) and not data.endswith(JPEG_END)


def with_ends(data: bytes) -> tuple[bytes, bytes]:
    """Return a cut off JPEG twice: with its end, and with other pixels and its end.

    If only the end is missing, both have the same pixels: a decoder ignores what follows the last one. If pixels are
    missing, the first file shows grey in their place, and the second noise.
    """
    start = data.rstrip(b"\xff")
    return start + JPEG_END, start + OTHER_PIXELS + JPEG_END
