"""A detected face, and the crops that are cut out for the embedder."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]
"""(5, 2) float32, (x, y) in pixels: the person's right eye, left eye, nose tip, right and left corner of the mouth."""

Crops = NDArray[np.uint8]
"""(n, h, w, 3) uint8, RGB: faces that are aligned to the template of a model."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels of the upright image. (x, y) is its upper left corner."""

    x: float
    y: float
    width: float
    height: float

    @property
    def area(self) -> float:
        return self.width * self.height

    @property
    def centre(self) -> tuple[float, float]:
        return self.x + self.width / 2, self.y + self.height / 2


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """A face in an image.

    landmarks: (5, 2) float32, see `Points`.
    detection_score: the confidence of the detector, in [0, 1].
    Raises ValueError if the landmarks have another shape.
    """

    box: Box
    landmarks: Points
    detection_score: float

    def __post_init__(self) -> None:
        if self.landmarks.shape != (5, 2):
            raise ValueError(f"landmarks are (5, 2), not {self.landmarks.shape}")
