"""Changes that remove detail from crops, to measure how much detail an embedder needs (FaceNet, section 5.3)."""

import io
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL import Image as Pillow

from service.domain.face import Crops
from service.domain.image import Pixels
from service.model_files.card import BoxAlignment, FivePointAlignment


class Degradation(Protocol):
    """A change to a crop before it is embedded."""

    def apply(self, crop: Pixels) -> Pixels:
        """Return the changed crop, of the same shape. crop: (h, w, 3) uint8, RGB."""
        ...


@dataclass(frozen=True, slots=True)
class Unchanged:
    """No change."""

    def apply(self, crop: Pixels) -> Pixels:
        """Return the same crop."""
        return crop


@dataclass(frozen=True, slots=True)
class Jpeg:
    """JPEG compression. quality: that of libjpeg, 1 to 95."""

    quality: int

    def apply(self, crop: Pixels) -> Pixels:
        """Compress the crop and decode it again."""
        file = io.BytesIO()
        Pillow.fromarray(crop).save(file, "JPEG", quality=self.quality)
        return np.asarray(Pillow.open(file).convert("RGB"))


@dataclass(frozen=True, slots=True)
class LowResolution:
    """A smaller size. height, width: in pixels."""

    height: int
    width: int

    def apply(self, crop: Pixels) -> Pixels:
        """Shrink the crop by averaging, then bring it back to its size by bilinear interpolation."""
        small = Pillow.fromarray(crop).resize((self.width, self.height), Pillow.Resampling.BOX)
        return np.asarray(small.resize((crop.shape[1], crop.shape[0]), Pillow.Resampling.BILINEAR))


def shrink_to(pixels: int, alignment: FivePointAlignment | BoxAlignment) -> Degradation:
    """Return the degradation to this number of pixels. The crop keeps its proportions.

    pixels: height times width. A crop that does not have more pixels is not changed.
    alignment: of the crop.
    """
    scale = (pixels / (alignment.height * alignment.width)) ** 0.5
    if scale >= 1:
        return Unchanged()
    return LowResolution(round(alignment.height * scale), round(alignment.width * scale))


def degrade(crops: Crops, degradation: Degradation) -> Crops:
    """Return the crops, each one degraded. crops: (n, h, w, 3) uint8."""
    return np.stack([degradation.apply(crop) for crop in crops])
