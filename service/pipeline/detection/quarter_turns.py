"""Turn pictures by multiples of 90 degrees, counterclockwise, and points of a turned picture back."""

import numpy as np
from numpy.typing import NDArray

from service.domain.image import Pixels


def turn(pixels: Pixels, quarter_turns: int) -> Pixels:
    """Return the picture after this number of quarter turns. It is a copy, unless the number is 0."""
    return np.ascontiguousarray(np.rot90(pixels, quarter_turns)) if quarter_turns else pixels


def turn_back(points: NDArray[np.float32], quarter_turns: int, right: float, bottom: float) -> NDArray[np.float32]:
    """Return where points of the turned picture are in the picture before the turns.

    points: (..., 2) float32, (x, y).
    right, bottom: the greatest x and y of the picture before the turns. The smallest are 0.
    """
    x, y = points[..., 0], points[..., 1]
    match quarter_turns % 4:
        case 0:
            back = (x, y)
        case 1:
            back = (right - y, x)
        case 2:
            back = (right - x, bottom - y)
        case _:
            back = (y, bottom - x)
    return np.stack(back, axis=-1).astype(np.float32)
