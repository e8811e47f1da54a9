"""Photographs made worse at random, as bad cameras, bad light and things in front of a face make them.

One in six is left as it is. The strengths are drawn so that about one in five degraded probes of LFW fails at FMR 1e-3.
"""

import math
from collections.abc import Callable

import cv2
import numpy as np

from service.domain.face import Box
from service.domain.image import Pixels

JPEG_QUALITY = 90


def degrade(pixels: Pixels, face: Box, rng: np.random.Generator) -> bytes:
    """Return the photograph, degraded in one way that is drawn, as a JPEG file.

    pixels: (h, w, 3) uint8 RGB.
    face: the box of its main face. It gives the scale.
    """
    change = CHANGES[int(rng.integers(len(CHANGES)))]
    changed = np.ascontiguousarray(change(pixels, face, rng)[..., ::-1])
    return cv2.imencode(".jpg", changed, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()


def _leave(pixels: Pixels, _face: Box, _rng: np.random.Generator) -> Pixels:
    return pixels


def _shrink_and_enlarge(pixels: Pixels, face: Box, rng: np.random.Generator) -> Pixels:
    """Shrink, so that the face is 9 to 24 pixels wide, and bring the photograph back to its size."""
    height, width = pixels.shape[:2]
    scale = math.exp(rng.uniform(math.log(9), math.log(24))) / face.width
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _defocus(pixels: Pixels, face: Box, rng: np.random.Generator) -> Pixels:
    """Blur by a Gaussian. Its sigma is 2 to 9 % of the width of the face."""
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.02, 0.09) * face.width), np.uint8)


def _shake(pixels: Pixels, face: Box, rng: np.random.Generator) -> Pixels:
    """Blur along a line of 10 to 40 % of the width of the face."""
    length = max(3, int(rng.uniform(0.1, 0.4) * face.width))
    angle, middle = rng.uniform(0, math.pi), (length - 1) / 2
    across, down = middle * math.cos(angle), middle * math.sin(angle)
    start, end = ((round(middle + sign * across), round(middle + sign * down)) for sign in (-1, 1))
    kernel = np.zeros((length, length), np.float32)
    cv2.line(kernel, start, end, (1.0,))
    return np.asarray(cv2.filter2D(pixels, -1, kernel / kernel.sum()), np.uint8)


def _blur(pixels: Pixels, face: Box, rng: np.random.Generator) -> Pixels:
    return (_defocus, _shake)[int(rng.integers(2))](pixels, face, rng)


def _darken(pixels: Pixels, _face: Box, rng: np.random.Generator) -> Pixels:
    """Leave 3 to 15 % of the light, with the noise of a sensor."""
    return _add_noise(pixels * rng.uniform(0.03, 0.15), rng.uniform(1, 4), rng)


def _make_noisy(pixels: Pixels, _face: Box, rng: np.random.Generator) -> Pixels:
    return _add_noise(pixels.astype(np.float64), rng.uniform(10, 50), rng)


def _add_noise(light: np.ndarray, sigma: float, rng: np.random.Generator) -> Pixels:
    return np.clip(light + rng.normal(0, sigma, light.shape), 0, 255).astype(np.uint8)


def _cover(pixels: Pixels, face: Box, rng: np.random.Generator) -> Pixels:
    """Cover 40 to 60 % of the face from one side, with a rectangle of one colour."""
    covered = pixels.copy()
    left, top = face.x - 0.1 * face.width, face.y - 0.1 * face.height
    right, bottom = left + 1.2 * face.width, top + 1.2 * face.height
    across, down = (right - left, bottom - top) * np.array(rng.uniform(0.4, 0.6))
    rectangles = (
        (left, top, left + across, bottom),
        (right - across, top, right, bottom),
        (left, top, right, top + down),
        (left, bottom - down, right, bottom),
    )
    x0, y0, x1, y1 = (max(0, int(edge)) for edge in rectangles[int(rng.integers(4))])
    covered[y0:y1, x0:x1] = rng.integers(0, 256, 3)
    return covered


Change = Callable[[Pixels, Box, np.random.Generator], Pixels]

CHANGES: tuple[Change, ...] = (_leave, _shrink_and_enlarge, _blur, _darken, _make_noisy, _cover)
"""The ways to degrade a photograph. Each is drawn equally often."""
