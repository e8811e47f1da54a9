"""Canvases -> the augmented crops that a network is trained on.

A single warp does the whole geometry: flip, rotation, scale, shift, and the cut to the network's input size. So the
pixels of a face are interpolated only once. Then the crop is degraded, as a camera or a messaging service may do: low
resolution, blur, grey, contrast and brightness, JPEG. Each kind of degradation has its own probability.

OpenCV on uint8 makes about 5,000 crops a second on one core. A step of training needs far fewer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import DatasetError
from service.domain.face import Crops
from service.domain.image import Pixels
from service.model_files.card import BoxAlignment, FivePointAlignment
from service.pipeline.alignment import Transform, template_to_crop

TEMPLATE_PX = 112
"""The side of the template of the five landmarks."""


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How much an augmented crop may differ from the aligned face.

    shift_std: standard deviation of the shift, as a share of the template's side.
    scale_std: standard deviation of the logarithm of the scale.
    rotation_std_degrees: standard deviation of the rotation.
    flip: probability of the mirror image.
    low_resolution: probability that the crop is shrunk to a square, and enlarged again.
    side_px: the range of the side of that square.
    blur: probability of a Gaussian blur.
    blur_sigma_px: the range of its standard deviation.
    grey: probability of a crop without colour.
    light: probability of another contrast and brightness.
    contrast: the range of the factor of the contrast.
    brightness: the range of the value that is added to each pixel.
    jpeg: probability of JPEG compression.
    jpeg_quality: the range of its quality.
    """

    shift_std: float = 0.03
    scale_std: float = 0.05
    rotation_std_degrees: float = 4.0
    flip: float = 0.5
    low_resolution: float = 0.2
    side_px: tuple[int, int] = (24, 80)
    blur: float = 0.1
    blur_sigma_px: tuple[float, float] = (0.5, 1.8)
    grey: float = 0.15
    light: float = 0.5
    contrast: tuple[float, float] = (0.6, 1.4)
    brightness: tuple[float, float] = (-30, 30)
    jpeg: float = 0.15
    jpeg_quality: tuple[int, int] = (20, 90)


DEFAULT_AUGMENTATION = Augmentation()
"""The augmentation of the recipes."""

NO_AUGMENTATION = Augmentation(
    shift_std=0, scale_std=0, rotation_std_degrees=0, flip=0, low_resolution=0, blur=0, grey=0, light=0, jpeg=0
)
"""The aligned face without a change, for evaluation."""


@dataclass(frozen=True, slots=True)
class Augmenter:
    """Cuts crops out of canvases, and augments them.

    canvas: the alignment of the canvases.
    target: the alignment of the crops.
    Raises DatasetError if one of the two is by five landmarks and the other by a box: a canvas does not hold the
    position of the box relative to the landmarks. Raises DatasetError if a crop has a larger margin than a canvas.
    """

    canvas: FivePointAlignment | BoxAlignment
    target: FivePointAlignment | BoxAlignment
    augmentation: Augmentation = NO_AUGMENTATION

    def __post_init__(self) -> None:
        if self.canvas.kind != self.target.kind:
            raise DatasetError(
                f"The prepared faces are cut as {self.canvas.kind}, and the model takes {self.target.kind}. Prepare "
                f"the photographs with --crop {self.target.kind}, use another model, or use a recipe of triplets, "
                "which needs no teacher."
            )
        if isinstance(self.canvas, BoxAlignment) and isinstance(self.target, BoxAlignment):
            _require_margin(self.canvas.margin, self.target.margin)

    def augment(self, canvases: Sequence[Pixels] | Crops, rng: np.random.Generator) -> Crops:
        """Return an augmented crop of each canvas, (n, h, w, 3) uint8 RGB. canvases: (n, H, W, 3) uint8 RGB."""
        crops = np.empty((len(canvases), self.target.height, self.target.width, 3), np.uint8)
        for canvas, crop in zip(canvases, crops, strict=True):
            transform, size = self._draw_transform(rng), crop.shape[1::-1]
            cv2.warpAffine(canvas, transform, size, crop, borderMode=cv2.BORDER_REFLECT_101)
            self._degrade(crop, rng)
        return crops

    def _draw_transform(self, rng: np.random.Generator) -> Transform:
        """Draw a transform: canvas -> template, random change around the centre, template -> crop."""
        settings = self.augmentation
        stds = [np.deg2rad(settings.rotation_std_degrees), settings.scale_std]
        # Rare draws are limited to 0.5: 29 degrees, or a scale of 1.65.
        angle, log_scale = rng.normal(0, stds).clip(-0.5, 0.5)
        # A rotation with a scale is a complex factor. Its matrix is [[real, -imag], [imag, real]]. A flip comes before
        # it and changes the sign of x, so it changes the sign of the first column.
        factor = np.exp(log_scale + 1j * angle)
        sign = -1.0 if rng.random() < settings.flip else 1.0
        linear = np.array([[sign * factor.real, -factor.imag], [sign * factor.imag, factor.real]])
        centre = np.full(2, (TEMPLATE_PX - 1) / 2)
        shift = centre - linear @ centre + rng.normal(0, TEMPLATE_PX * settings.shift_std, 2)
        change = np.vstack([np.column_stack([linear, shift]), [0, 0, 1]])
        to_crop: Transform = _template_to(self.target) @ change @ np.linalg.inv(_template_to(self.canvas))
        return to_crop[:2]

    def _degrade(self, crop: Pixels, rng: np.random.Generator) -> None:
        """Degrade the crop in place."""
        settings = self.augmentation
        probabilities = (settings.low_resolution, settings.blur, settings.grey, settings.light, settings.jpeg)
        low_resolution, blur, grey, light, jpeg = rng.random(5) < probabilities
        if low_resolution:
            crop[:] = _at_low_resolution(crop, int(rng.integers(*settings.side_px, endpoint=True)))
        if blur:
            cv2.GaussianBlur(crop, (0, 0), rng.uniform(*settings.blur_sigma_px), dst=crop)
        if grey:
            crop[:] = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[..., None]
        if light:
            cv2.LUT(crop, _light_table(rng.uniform(*settings.contrast), rng.uniform(*settings.brightness)), dst=crop)
        if jpeg:
            crop[:] = _compress(crop, int(rng.integers(*settings.jpeg_quality, endpoint=True)))


def _require_margin(canvas: float, crop: float) -> None:
    if crop > canvas:
        raise DatasetError(
            f"The prepared faces are boxes with a margin of {canvas:g}, and the model needs a margin of {crop:g}. The "
            "prepared faces do not show that much. Use another model."
        )


def _template_to(alignment: FivePointAlignment | BoxAlignment) -> Transform:
    """Return the transform from the template to the picture that `alignment` describes, 3 x 3.

    For boxes, the template is the box without its margin.
    """
    if isinstance(alignment, BoxAlignment):
        start, end = -TEMPLATE_PX * alignment.margin, TEMPLATE_PX * (1 + alignment.margin)
        view = (start, start, end, end)
        alignment = FivePointAlignment(view=view, height=alignment.height, width=alignment.width)
    return np.vstack([template_to_crop(alignment), [0, 0, 1]])


def _light_table(contrast: float, brightness: float) -> NDArray[np.uint8]:
    """Return the new value of each of the 256 values of a pixel."""
    values = (np.arange(256) - 127.5) * contrast + 127.5 + brightness
    return np.asarray(np.clip(values, 0, 255), np.uint8)


def _at_low_resolution(crop: Pixels, side_px: int) -> Pixels:
    small = cv2.resize(crop, (side_px, side_px), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, crop.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.uint8)


def _compress(crop: Pixels, quality: int) -> Pixels:
    _, data = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
