"""JPEG files that lack their end."""

from service.pipeline.decoding.containers.jpeg import JPEG_START

JPEG_END = b"\xff\xd9"

OTHER_PIXELS = b"\xaa" * 4096
"""Bytes that stand for lost pixels. They hold no marker, and a decoder does not read them as "no more pixels"."""


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
