"""Cut faces out of an image. Each face is turned, scaled and moved as in the training of the embedder.

A crop to keep is only cut out, turned by quarter turns, and shrunk if it is large. So another embedder gets nearly the
same pixels from it as from the photograph.

A transform is a 2 x 3 matrix. It maps pixels of the image to pixels of the crop. In both, (0, 0) is the centre of the
upper left pixel.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from service.domain.face import Box, Crops, Face, KeptCrop, Points
from service.domain.image import Image, Pixels
from service.model_files.card import BoxAlignment, FivePointAlignment

Transform = NDArray[np.float64]
"""(2, 3) float64."""

ARCFACE_TEMPLATE: Points = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float32
)
"""The place of the five landmarks in a crop of 112 x 112 pixels.

Source: ArcFace, Deng et al., 2019; insightface `face_align.py`.
"""

INTERPOLATION_MARGIN_PX = 2
"""How many pixels beyond the crop bilinear interpolation reads, rounded up."""

KEPT_MARGIN_PX = 32
"""What a kept crop shows around the template, on each side, in pixels of the template."""
KEPT_BOX_MARGIN = 0.3
"""What a kept crop shows around the box at least, on each side, as a fraction of the side of the box."""
KEPT_SIDE_PX = 512
"""The longer side of the picture of a kept crop is at most this."""
KEPT_JPEG = [
    cv2.IMWRITE_JPEG_QUALITY,
    95,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
]
"""Every pixel keeps its own colour. `benchmarks/kept_crops.py` measures what is lost."""


@dataclass(frozen=True, slots=True)
class Aligner:
    """Cuts out faces as the card of a model says."""

    alignment: FivePointAlignment | BoxAlignment

    def align(self, image: Image, faces: Sequence[Face]) -> Crops:
        """Return the crop of each face, (n, h, w, 3) uint8 RGB. Pixels beyond the image are black."""
        size = (self.alignment.height, self.alignment.width)
        crops = np.zeros((len(faces), *size, 3), np.uint8)
        for crop, face in zip(crops, faces, strict=True):
            _warp(image, self._transform(face), crop)
        return crops

    def scale(self, face: Face) -> float:
        """Return how long the side of a pixel of the photograph is in the crop. Above 1, the crop is enlarged."""
        return _scale_of(self._transform(face))

    def _transform(self, face: Face) -> Transform:
        if isinstance(self.alignment, FivePointAlignment):
            return template_to_crop(self.alignment) @ _to_3x3(similarity(face.landmarks, ARCFACE_TEMPLATE))
        return _box_transform(face, self.alignment)


def similarity(points: Points, template: Points) -> Transform:
    """Find the rotation, scale and shift that bring the points nearest to the template (Umeyama, 1991).

    "Nearest" is in least squares. In two dimensions this is a linear regression on complex numbers:
    `template = factor * points + shift`.
    """
    source, target = _complex(points), _complex(template)
    centred = source - source.mean()
    spread = float(np.sum(np.abs(centred) ** 2))
    factor = np.vdot(centred, target) / spread if spread else 0j
    return _as_matrix(factor, target.mean() - factor * source.mean())


def _complex(points: Points) -> NDArray[np.complex128]:
    return points[:, 0].astype(np.float64) + 1j * points[:, 1]


def _as_matrix(factor: complex, shift: complex) -> Transform:
    """Write `z -> factor * z + shift` as a 2 x 3 matrix."""
    return np.array([[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]])


def _to_3x3(transform: Transform) -> Transform:
    return np.vstack([transform, [0.0, 0.0, 1.0]])


def _scale_of(transform: Transform) -> float:
    """Return how many times as long lengths are after the transform, by the square root of the areas."""
    return float(np.sqrt(abs(np.linalg.det(transform[:, :2]))))


def _to_photograph(reduction: int) -> Transform:
    """Map decoded pixels to those of the photograph, (3, 3) float64."""
    shift = (reduction - 1) / 2  # (0, 0) is the centre of a pixel in both
    return np.array([[reduction, 0.0, shift], [0.0, reduction, shift], [0.0, 0.0, 1.0]])


def template_to_crop(alignment: FivePointAlignment) -> Transform:
    """Map the view of the template to the whole crop, edge to edge.

    The centre of the first pixel is half a pixel inside the edge.
    """
    left, top, right, bottom = alignment.view
    across, down = alignment.width / (right - left), alignment.height / (bottom - top)
    return np.array(
        [[across, 0.0, (0.5 - left) * across - 0.5], [0.0, down, (0.5 - top) * down - 0.5]],
    )


def _box_transform(face: Face, alignment: BoxAlignment) -> Transform:
    """Turn the box around its centre until the eyes are level, then stretch it to the crop."""
    right_eye, left_eye = _complex(face.landmarks[:2])
    eye_line = left_eye - right_eye
    level = np.conj(eye_line) / abs(eye_line) if eye_line else 1.0 + 0j
    upright = _as_matrix(level, -level * complex(*face.box.centre))
    sides = (face.box.width, face.box.height)
    width, height = sides if face.quarter_turns % 2 == 0 else sides[::-1]
    across = alignment.width / (width * (1 + 2 * alignment.margin))
    down = alignment.height / (height * (1 + 2 * alignment.margin))
    middle = [(alignment.width - 1) / 2, (alignment.height - 1) / 2]
    stretched: Transform = np.diag([across, down]) @ upright
    stretched[:, 2] += middle
    return stretched


def _warp(image: Image, to_crop: Transform, crop: Pixels) -> None:
    """Fill the crop. To avoid aliasing, a face of at least twice the size of the crop is first shrunk by area.

    to_crop: from pixels of the photograph. It is shrunk to the same size at every reduction of the image.
    """
    factor = max(1, int(1 / (_scale_of(to_crop) or 1.0)), image.reduction) / image.reduction
    pixels, transform = image.pixels, to_crop @ _to_photograph(image.reduction)
    margin_px = math.ceil(INTERPOLATION_MARGIN_PX * factor)
    left, top, right, bottom = _visible_region(transform, crop, pixels, margin_px)
    if left >= right or top >= bottom:
        return
    region = pixels[top:bottom, left:right]
    small = (max(1, int(region.shape[1] / factor)), max(1, int(region.shape[0] / factor)))
    across, down = region.shape[1] / small[0], region.shape[0] / small[1]
    to_image = np.array([[across, 0, left + across / 2 - 0.5], [0, down, top + down / 2 - 0.5], [0, 0, 1]])
    source = region if factor == 1 else cv2.resize(region, small, interpolation=cv2.INTER_AREA)
    cv2.warpAffine(source, transform @ to_image, (crop.shape[1], crop.shape[0]), dst=crop, flags=cv2.INTER_LINEAR)


def _visible_region(transform: Transform, crop: Pixels, pixels: Pixels, margin_px: int) -> tuple[int, int, int, int]:
    """Return the part of the image that the crop shows: left, top, right, bottom."""
    height, width = crop.shape[:2]
    back = cv2.invertAffineTransform(transform)
    corners = back @ np.array([[0, width, 0, width], [0, 0, height, height], [1, 1, 1, 1]])
    left, top = np.floor(corners.min(axis=1)).astype(int) - margin_px
    right, bottom = np.ceil(corners.max(axis=1)).astype(int) + margin_px
    return max(0, left), max(0, top), min(pixels.shape[1], right), min(pixels.shape[0], bottom)


def keep_crop(image: Image, face: Face) -> KeptCrop:
    """Cut the surroundings of a face out of the image, as a picture that can be stored."""
    left, top, right, bottom = _kept_region(image, face)
    region = image.pixels[top:bottom, left:right]
    shrink = math.ceil(max(region.shape[:2]) / KEPT_SIDE_PX)
    pixels, reduction = _shrunk(region, shrink), image.reduction * shrink
    corner = np.array([left, top], np.float32) * image.reduction
    box = replace(face.box, x=face.box.x - float(corner[0]), y=face.box.y - float(corner[1]))
    landmarks = face.landmarks - corner
    for _ in range(face.quarter_turns):
        box, landmarks = _quarter_turned(box, landmarks, pixels.shape[1] * reduction)
        pixels = np.rot90(pixels)
    encoded = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), KEPT_JPEG)[1]
    return KeptCrop(encoded.tobytes(), reduction, box, landmarks)


def _shrunk(pixels: Pixels, factor: int) -> Pixels:
    """Return the mean of each square of `factor` x `factor` pixels. What is left at the right and below is cut off."""
    if factor == 1:
        return pixels
    height, width = (max(1, side // factor) for side in pixels.shape[:2])
    shrunk = cv2.resize(pixels[: height * factor, : width * factor], (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk, np.uint8)


def _kept_region(image: Image, face: Face) -> tuple[int, int, int, int]:
    """Return the part of the decoded pixels that is kept: left, top, right, bottom. It has at least one pixel."""
    side_px = 112 + KEPT_MARGIN_PX
    view = np.array([[-KEPT_MARGIN_PX, side_px, -KEPT_MARGIN_PX, side_px], [-KEPT_MARGIN_PX] * 2 + [side_px] * 2])
    back = cv2.invertAffineTransform(similarity(face.landmarks, ARCFACE_TEMPLATE))
    corners = (back @ np.vstack([view, np.ones(4)])).T
    sides = np.array([face.box.width, face.box.height])
    corner = np.array([face.box.x, face.box.y])
    points = np.vstack([corners, corner - KEPT_BOX_MARGIN * sides, corner + (1 + KEPT_BOX_MARGIN) * sides])
    height, width = image.pixels.shape[:2]
    first = np.floor(points.min(axis=0) / image.reduction).clip(0, [width - 1, height - 1]).astype(int)
    last = np.ceil(points.max(axis=0) / image.reduction).clip(first + 1, [width, height]).astype(int)
    return int(first[0]), int(first[1]), int(last[0]), int(last[1])


def _quarter_turned(box: Box, landmarks: Points, width_px: float) -> tuple[Box, Points]:
    """Return the box and the landmarks after a turn by 90 degrees, counterclockwise. width_px: of the image before."""
    turned = Box(box.y, width_px - 1 - box.x - box.width, box.height, box.width)
    return turned, np.stack([landmarks[:, 1], width_px - 1 - landmarks[:, 0]], axis=1)
