"""An array of pixels as a PNG file, without losses. NumPy is not needed."""

import struct
import zlib
from typing import Any, Protocol, runtime_checkable

COLOUR_TYPES = {1: 0, 3: 2, 4: 6}
"""The colour type of PNG (section 11.2.1 of its specification) for grey, RGB and RGBA, by the number of channels."""

SIGNATURE = b"\x89PNG\r\n\x1a\n"
UINT8 = "|u1"
BITS = 8
COMPRESSION = 1
"""Photographs hardly become smaller with more, and it takes several times as long."""


@runtime_checkable
class Array(Protocol):
    """An array of NumPy, or another one with its interface."""

    @property
    def __array_interface__(self) -> dict[str, Any]: ...

    def tobytes(self) -> bytes:
        """Return the numbers, row by row."""
        ...


def encode_png(pixels: Array) -> bytes:
    """Return a PNG file.

    pixels: (height, width, 3) RGB, (height, width, 4) RGBA or (height, width) grey, uint8.
    Raises ValueError for another array.
    """
    shape, dtype = pixels.__array_interface__["shape"], pixels.__array_interface__["typestr"]
    channels = (*shape, 1)[2] if len(shape) in {2, 3} else 0
    if dtype != UINT8 or channels not in COLOUR_TYPES or 0 in shape:
        raise ValueError(
            "An array of pixels is uint8, and has the shape (height, width, 3) in the order RGB, (height, width, 4) or "
            f"(height, width). This one has the type {dtype} and the shape {shape}."
        )
    height, width = shape[:2]
    header = struct.pack(">IIBBBBB", width, height, BITS, COLOUR_TYPES[channels], 0, 0, 0)
    return SIGNATURE + b"".join(
        _chunk(kind, data)
        for kind, data in ((b"IHDR", header), (b"IDAT", _rows(pixels, width * channels)), (b"IEND", b""))
    )


def _rows(pixels: Array, row_bytes: int) -> bytes:
    """Return the compressed rows. Each begins with the number of its filter, which is 0: none."""
    data = memoryview(pixels.tobytes())
    return zlib.compress(
        b"".join(b"\0" + data[at : at + row_bytes] for at in range(0, len(data), row_bytes)), COMPRESSION
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
