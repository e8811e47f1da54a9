"""Canvases -> the crops that a network is trained on: each time another view of the same face.

One warp does all geometry (flip, turn, scale, shift, and the cut to the network's size), so a face is interpolated
once; what a camera and a network of messages do to a photograph (few pixels, blur, grey, light, JPEG) follows in
chance's order. OpenCV on uint8: about 5,000 views a second on one core, many times what a step of training takes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import DatasetError
from service.alignment import Transform, template_to_crop
from service.card import BoxCrop, FivePoint
from service.domain import Crops, Pixels


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far a view may lie from the face as it was aligned. Shares are probabilities."""

    shift: float = 0.03
    """Standard deviation, as a share of the template's side."""
    scale: float = 0.05
    """Standard deviation of the scale's logarithm."""
    turn_degrees: float = 4.0
    """Standard deviation."""
    flip: float = 0.5
    few_pixels: float = 0.2
    """Shrunk to a side of `least_px` to `most_px` and back."""
    least_px: int = 24
    most_px: int = 80
    blur: float = 0.1
    grey: float = 0.15
    light: float = 0.5
    """Contrast and brightness."""
    jpeg: float = 0.15
    """Quality 20 to 90."""


USUAL = Augmentation()
"""What the recipes train with."""

PLAIN = Augmentation(shift=0, scale=0, turn_degrees=0, flip=0, few_pixels=0, blur=0, grey=0, light=0, jpeg=0)
"""The face as it was aligned: what is evaluated."""


@dataclass(frozen=True, slots=True)
class Views:
    """Cuts crops of `target` out of canvases of `canvas`, augmented.

    Raises DatasetError where one is cut by five points and the other is a box, since no canvas tells how they lie to
    each other, and where a box has a margin that its canvas does not show.
    """

    canvas: FivePoint | BoxCrop
    target: FivePoint | BoxCrop
    augmentation: Augmentation = PLAIN

    def __post_init__(self) -> None:
        if self.canvas.kind != self.target.kind:
            raise DatasetError(
                f"The prepared faces are cut as {self.canvas.kind}, and a model takes {self.target.kind}. Prepare the "
                f"photographs with --crop {self.target.kind}, or take another model; triplets ask none."
            )
        if isinstance(self.canvas, BoxCrop) and isinstance(self.target, BoxCrop):
            _require_margin(self.canvas.margin, self.target.margin)

    def draw(self, canvases: Sequence[Pixels] | Crops, rng: np.random.Generator) -> Crops:
        """canvases: (n, H, W, 3) uint8 RGB. Returns (n, h, w, 3) uint8 RGB: one view of each."""
        crops = np.empty((len(canvases), self.target.height, self.target.width, 3), np.uint8)
        for canvas, crop in zip(canvases, crops, strict=True):
            cv2.warpAffine(canvas, self._geometry(rng), crop.shape[1::-1], crop, borderMode=cv2.BORDER_REFLECT_101)
            self._photometry(crop, rng)
        return crops

    def _geometry(self, rng: np.random.Generator) -> Transform:
        """Canvas to template, there moved about the face's centre, template to crop."""
        how = self.augmentation
        turn, log_scale = rng.normal(0, [np.deg2rad(how.turn_degrees), how.scale]).clip(-0.5, 0.5)
        factor = np.exp(log_scale + 1j * turn)
        sign = -1.0 if rng.random() < how.flip else 1.0
        moved = np.array([[sign * factor.real, -factor.imag], [sign * factor.imag, factor.real]])
        centre = np.full(2, 55.5)
        shift = centre - moved @ centre + rng.normal(0, 112 * how.shift, 2)
        movement = np.vstack([np.column_stack([moved, shift]), [0, 0, 1]])
        onto_crop: Transform = _template_to(self.target) @ movement @ np.linalg.inv(_template_to(self.canvas))
        return onto_crop[:2]

    def _photometry(self, crop: Pixels, rng: np.random.Generator) -> None:
        """In place."""
        how = self.augmentation
        few, blur, grey, light, jpeg = rng.random(5) < (how.few_pixels, how.blur, how.grey, how.light, how.jpeg)
        if few:
            crop[:] = _few_pixels(crop, int(rng.integers(how.least_px, how.most_px, endpoint=True)))
        if blur:
            cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.5, 1.8), dst=crop)
        if grey:
            crop[:] = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[..., None]
        if light:
            cv2.LUT(crop, _light(rng.uniform(0.6, 1.4), rng.uniform(-30, 30)), dst=crop)
        if jpeg:
            crop[:] = _through_jpeg(crop, int(rng.integers(20, 90, endpoint=True)))


def _require_margin(there: float, wanted: float) -> None:
    if wanted > there:
        raise DatasetError(
            f"The prepared faces are boxes with a margin of {there:g}, and a model takes one of {wanted:g}, which they "
            "do not show. Take another model."
        )


def _template_to(alignment: FivePoint | BoxCrop) -> Transform:
    """Template -> pixels of the picture that `alignment` describes, 3 x 3. A box without its margin is the template."""
    if isinstance(alignment, BoxCrop):
        before, behind = -112 * alignment.margin, 112 * (1 + alignment.margin)
        view = (before, before, behind, behind)
        alignment = FivePoint(view=view, height=alignment.height, width=alignment.width)
    return np.vstack([template_to_crop(alignment), [0, 0, 1]])


def _light(contrast: float, brightness: float) -> NDArray[np.uint8]:
    """What each of the 256 levels becomes."""
    levels = (np.arange(256) - 127.5) * contrast + 127.5 + brightness
    return np.asarray(np.clip(levels, 0, 255), np.uint8)


def _few_pixels(crop: Pixels, side_px: int) -> Pixels:
    small = cv2.resize(crop, (side_px, side_px), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, crop.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.uint8)


def _through_jpeg(crop: Pixels, quality: int) -> Pixels:
    _, data = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
