"""What an ONNX file does not say of its input: the order of the colours, and the range of the numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from models.errors import AdoptionRefused
from service.domain.face import Crops

Colour = Literal["rgb", "bgr"]
CHANNELS = 3
SMALL_RANGE = 2.0
"""If all numbers are below this, they are meant for pixels from 0 to 1. A mean of 0 with a deviation of 1 is none of
these: it leaves the pixels as they are."""


@dataclass(frozen=True, slots=True)
class PixelConvention:
    """The network expects `(pixel - mean) / std`, where a pixel is 0 to 255.

    mean, std: one number for each channel, in the order of `colour`.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    colour: Colour

    @classmethod
    def of(cls, mean: Sequence[float], std: Sequence[float], colour: Colour) -> Self:
        """Return the convention of one number for all channels, or of one for each. Raises AdoptionRefused."""
        convention = cls(_by_channel("--mean", mean), _by_channel("--std", std), colour)
        if min(convention.std) <= 0:
            raise AdoptionRefused(f"--std must be above 0, and {min(convention.std):g} was given.")
        changes_nothing = set(convention.mean) == {0.0} and set(convention.std) == {1.0}
        if max(map(abs, (*convention.mean, *convention.std))) < SMALL_RANGE and not changes_nothing:
            raise AdoptionRefused(
                "--mean and --std are for pixels from 0 to 255, and the given ones look like those for numbers from 0 "
                "to 1. Multiply them by 255: 0.5 becomes 127.5."
            )
        return convention

    def apply(self, crops: Crops) -> NDArray[np.float32]:
        """Return the numbers that the network expects, (n, h, w, 3) float32. crops: (n, h, w, 3) uint8 RGB."""
        pixels = crops[..., ::-1] if self.colour == "bgr" else crops
        scaled = (pixels - np.array(self.mean)) / np.array(self.std)
        return np.asarray(scaled, np.float32)


def _by_channel(option: str, values: Sequence[float]) -> tuple[float, ...]:
    if len(values) not in {1, CHANNELS}:
        raise AdoptionRefused(
            f"{option} takes one number, or one for each of three channels; {len(values)} were given."
        )
    return tuple(values) * (CHANNELS if len(values) == 1 else 1)
