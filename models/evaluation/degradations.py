"""What is done to crops to see how much of a face an embedder needs (FaceNet, section 5.3)."""

import io
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL import Image as Pillow

from service.card import BoxCrop, FivePoint
from service.domain import Crops, Pixels


class Degradation(Protocol):
    """What is done to a crop before it is embedded."""

    def apply(self, crop: Pixels) -> Pixels:
        """crop: (h, w, 3) uint8 RGB. Returns the same shape."""
        ...


@dataclass(frozen=True, slots=True)
class AsItIs:
    """Nothing."""

    def apply(self, crop: Pixels) -> Pixels:
        """The crop itself."""
        return crop


@dataclass(frozen=True, slots=True)
class Jpeg:
    """Compressed and read again. quality: libjpeg's, 1 to 95."""

    quality: int

    def apply(self, crop: Pixels) -> Pixels:
        """The same shape."""
        file = io.BytesIO()
        Pillow.fromarray(crop).save(file, "JPEG", quality=self.quality)
        return np.asarray(Pillow.open(file).convert("RGB"))


@dataclass(frozen=True, slots=True)
class Shrunk:
    """Averaged down to a size in pixels, and back again with straight lines between them."""

    height: int
    width: int

    def apply(self, crop: Pixels) -> Pixels:
        """The same shape."""
        small = Pillow.fromarray(crop).resize((self.width, self.height), Pillow.Resampling.BOX)
        return np.asarray(small.resize((crop.shape[1], crop.shape[0]), Pillow.Resampling.BILINEAR))


def shrunk(pixels: int, alignment: FivePoint | BoxCrop) -> Degradation:
    """To so many pixels of the crop's own proportions; a crop that has no more stays as it is."""
    scale = (pixels / (alignment.height * alignment.width)) ** 0.5
    return Shrunk(round(alignment.height * scale), round(alignment.width * scale)) if scale < 1 else AsItIs()


def degraded(crops: Crops, degradation: Degradation) -> Crops:
    """Each crop by itself, (n, h, w, 3) uint8."""
    return np.stack([degradation.apply(crop) for crop in crops])
