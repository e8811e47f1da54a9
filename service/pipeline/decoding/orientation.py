"""The EXIF orientation of a photograph: how the camera was held."""

from collections.abc import Callable

import cv2
import numpy as np

from service.domain.image import Pixels

EXIF_ORIENTATION = 0x0112
MAX_ENTRIES = 200
"""Entries of the first directory that are read. A camera writes about 20."""

TURNS: dict[int, Callable[[Pixels], object]] = {
    2: lambda pixels: cv2.flip(pixels, 1),
    3: lambda pixels: cv2.rotate(pixels, cv2.ROTATE_180),
    4: lambda pixels: cv2.flip(pixels, 0),
    5: cv2.transpose,
    6: lambda pixels: cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE),
    7: lambda pixels: cv2.rotate(np.asarray(cv2.transpose(pixels), np.uint8), cv2.ROTATE_180),
    8: lambda pixels: cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE),
}
"""The operation that makes a picture upright, by its EXIF orientation (Exif 2.32, section 4.6.4)."""


def make_upright(pixels: Pixels, exif: bytes) -> Pixels:
    """Turn and mirror a picture as its EXIF block says. Without a valid one, it stays as it is."""
    turn = TURNS.get(_orientation(exif))
    return pixels if turn is None else np.asarray(turn(pixels), np.uint8)


def _orientation(exif: bytes) -> int:
    """Read the orientation from the first directory of an EXIF block (a TIFF file).

    The result is 1 or 0 if the orientation is absent or damaged.
    """
    tiff = exif.removeprefix(b"Exif\0\0")

    def number(at: int, size: int) -> int:
        return int.from_bytes(tiff[at : at + size], "little" if tiff.startswith(b"II") else "big")

    directory = number(4, 4)
    for entry in range(directory + 2, directory + 2 + 12 * min(MAX_ENTRIES, number(directory, 2)), 12):
        if number(entry, 2) == EXIF_ORIENTATION:
            return number(entry + 8, 2)
    return 1
