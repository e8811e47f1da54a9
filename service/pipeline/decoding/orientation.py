"""The EXIF orientation of a photograph: how the camera was held."""

from dataclasses import dataclass

import cv2
import numpy as np

from service.domain.image import Pixels

EXIF_ORIENTATION = 0x0112
MAX_ENTRIES = 200
"""Entries of the first directory that are read. A camera writes about 20."""

LARGE_PIXELS = 2**22
"""A copy of a picture of more pixels would take much memory."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What makes a stored picture upright.

    transposed: whether rows become columns. Then the rows and the columns are in the order of `rows` and `columns`: 1,
    or -1 for the opposite one.
    """

    transposed: bool
    rows: int
    columns: int

    def view(self, pixels: Pixels) -> Pixels:
        """Return a view of the turned picture. No pixel is copied."""
        turned = pixels.transpose(1, 0, 2) if self.transposed else pixels
        return turned[:: self.rows, :: self.columns]

    def copy(self, pixels: Pixels) -> Pixels:
        """Return a turned copy. The pixels of a view are slower to read."""
        turned = cv2.transpose(pixels) if self.transposed else pixels
        if self.rows == self.columns == 1:
            return np.asarray(turned, np.uint8)
        axis = 0 if self.columns == 1 else 1 if self.rows == 1 else -1  # the numbers of OpenCV
        return np.asarray(cv2.flip(turned, axis), np.uint8)


TURNS = {
    2: Turn(transposed=False, rows=1, columns=-1),
    3: Turn(transposed=False, rows=-1, columns=-1),
    4: Turn(transposed=False, rows=-1, columns=1),
    5: Turn(transposed=True, rows=1, columns=1),
    6: Turn(transposed=True, rows=1, columns=-1),
    7: Turn(transposed=True, rows=-1, columns=-1),
    8: Turn(transposed=True, rows=-1, columns=1),
}
"""What makes a picture upright, by its EXIF orientation (Exif 2.32, section 4.6.4)."""


def make_upright(pixels: Pixels, exif: bytes) -> Pixels:
    """Turn and mirror a picture as its EXIF block says. Without a valid one, it stays as it is.

    A large picture is not copied: the result is a view of it.
    """
    turn = TURNS.get(read_orientation(exif))
    if turn is None:
        return pixels
    return turn.view(pixels) if pixels.shape[0] * pixels.shape[1] > LARGE_PIXELS else turn.copy(pixels)


def read_orientation(exif: bytes) -> int:
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
