"""Cut faces out of an image. Each face is turned, scaled and moved as in the training of the embedder.

A transform is a 2 x 3 matrix. It maps pixels of the image to pixels of the crop. In both, (0, 0) is the centre of the
upper left pixel.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from service.domain.face import Crops, Face, Points
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
