"""A decoded photograph."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""(h, w, 3) uint8, RGB."""


class Notice(StrEnum):
    """Something that was changed or left out in a photograph. The API reports it to the client as a warning."""

    FIRST_FRAME_ONLY = "first_frame_only"
    CONVERTED_COLOURS = "converted_colours"
    SEVERAL_FACES = "several_faces"
    FACES_LEFT_OUT = "faces_left_out"
    END_MISSING = "end_missing"
    TURNED = "turned"
    LOW_QUALITY = "low_quality"


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """A decoded, upright photograph.

    Coordinates in an image are pixels. x grows to the right and y grows down. (0, 0) is the centre of the upper left
    pixel.

    pixels: (h, w, 3) uint8, RGB. They may be a view of other memory.
    notices: what the decoder changed.
    reduction: how many pixels of the photograph one of `pixels` stands for, along a side. More than 1 if the photograph
    was decoded at reduced scale. Coordinates are those of the photograph all the same.
    Raises ValueError if the pixels have another shape or type.
    """

    pixels: Pixels
    notices: tuple[Notice, ...] = ()
    reduction: int = 1

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or self.pixels.shape[2] != 3 or self.pixels.dtype != np.uint8:
            raise ValueError(f"an image is (h, w, 3) uint8, not {self.pixels.shape} {self.pixels.dtype}")

    @property
    def height(self) -> int:
        """The height of the photograph, rounded up to a multiple of `reduction`."""
        return int(self.pixels.shape[0]) * self.reduction

    @property
    def width(self) -> int:
        """The width of the photograph, rounded up to a multiple of `reduction`."""
        return int(self.pixels.shape[1]) * self.reduction
