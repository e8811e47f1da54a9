"""The nouns that travel between the parts: frozen, their shapes checked at birth.

bytes -> Image -> [Face] -> Crops -> Embeddings -> a decision. Arrays are NumPy; coordinates are pixels of the upright
image, x to the right and y down, with (0, 0) at the centre of the upper left pixel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from service.errors import InvalidEmbedding

Pixels = NDArray[np.uint8]
"""(h, w, 3) uint8, RGB."""

Crops = NDArray[np.uint8]
"""(n, h, w, 3) uint8, RGB: faces aligned to a model's template."""

Points = NDArray[np.float32]
"""(5, 2) float32: the subject's right eye, left eye, nose tip, right and left corner of the mouth (x, y)."""

Embeddings = NDArray[np.float32]
"""(n, d) float32, each row of unit length."""

Vector = Sequence[float] | NDArray[np.float32]
"""(d,): one embedding as it came, not checked yet."""

UNIT_TOLERANCE = 1e-3
"""How far from 1 the length of a given embedding may be: six printed digits a coordinate stay well inside."""


class Notice(StrEnum):
    """What was done to a photograph that its sender should know."""

    FIRST_FRAME_ONLY = "first_frame_only"
    CONVERTED_COLOURS = "converted_colours"
    SEVERAL_FACES = "several_faces"
    FACES_LEFT_OUT = "faces_left_out"


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """A decoded photograph, upright.

    pixels: (h, w, 3) uint8, RGB. notices: what decoding had to change.
    """

    pixels: Pixels
    notices: tuple[Notice, ...] = ()

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or self.pixels.shape[2] != 3 or self.pixels.dtype != np.uint8:
            raise ValueError(f"an image is (h, w, 3) uint8, not {self.pixels.shape} {self.pixels.dtype}")

    @property
    def height(self) -> int:
        """In pixels."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """In pixels."""
        return int(self.pixels.shape[1])


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels of the upright image; (x, y) is its upper left corner."""

    x: float
    y: float
    width: float
    height: float

    @property
    def area(self) -> float:
        """In square pixels."""
        return self.width * self.height

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y) in pixels."""
        return self.x + self.width / 2, self.y + self.height / 2


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """A face in a photograph: where it is and how sure the detector is.

    landmarks: (5, 2) float32. score: in [0, 1].
    """

    box: Box
    landmarks: Points
    score: float

    def __post_init__(self) -> None:
        if self.landmarks.shape != (5, 2):
            raise ValueError(f"landmarks are (5, 2), not {self.landmarks.shape}")


def check_embedding(vector: Vector, dimension: int) -> Embeddings:
    """One vector that a client gave, as (1, dimension) float32 of length 1.

    Raises InvalidEmbedding if its length is another one, a coordinate is not finite, or its norm is not 1.
    """
    return _checked([vector], dimension, [None])


def check_embeddings(vectors: Sequence[Vector], dimension: int) -> Embeddings:
    """Vectors that a client gave, as (n, dimension) float32 of length 1.

    Raises InvalidEmbedding, which names its position, for the first that `check_embedding` would refuse.
    """
    return _checked(vectors, dimension, [f"embeddings[{position}]" for position in range(len(vectors))])


def _checked(vectors: Sequence[Vector], dimension: int, places: Sequence[str | None]) -> Embeddings:
    """All at once, which is fifty times as fast as one by one. places: where each came from, for its error."""
    for vector, where in zip(vectors, places, strict=True):
        if len(vector) != dimension:
            raise _invalid(where, f"The embedding has {len(vector)} numbers; this model's have {dimension}.")
    rows = np.asarray(vectors, np.float64).reshape(-1, dimension)
    with np.errstate(over="ignore"):
        norms = np.linalg.norm(rows, axis=1)
    for row in np.flatnonzero(~(np.abs(norms - 1.0) <= UNIT_TOLERANCE))[:1]:  # NaN is not near 1 either
        raise _not_unit(places[row], float(norms[row]))
    return np.asarray(rows / norms[:, np.newaxis], np.float32)


def _not_unit(where: str | None, norm: float) -> InvalidEmbedding:
    if not np.isfinite(norm):
        return _invalid(where, "The embedding holds a number that is not finite or too large. Send a unit vector.")
    if norm == 0.0:
        return _invalid(where, "The embedding is zero, which is no direction. Send a unit vector.")
    return _invalid(where, f"The embedding's length is {norm:.4g}; divide it by that to get a unit vector.")


def _invalid(where: str | None, message: str) -> InvalidEmbedding:
    error = InvalidEmbedding(message)
    error.where = where
    return error
