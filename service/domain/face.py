"""A detected face, the crops that are cut out for the embedder, and what is kept of a photograph."""

import math
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from service.domain.quality import FaceQuality

Points = NDArray[np.float32]
"""(5, 2) float32, (x, y) in pixels: the person's right eye, left eye, nose tip, right and left corner of the mouth."""

Crops = NDArray[np.uint8]
"""(n, h, w, 3) uint8, RGB: faces that are aligned to the template of a model."""

_STORED_NUMBER = np.dtype("<f4")
_STORED_NUMBERS = 15


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

    def scaled(self, factor: float) -> "Box":
        """Return the box in an image whose sides are `factor` times as long."""
        return Box(self.x * factor, self.y * factor, self.width * factor, self.height * factor)


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """A face in an image.

    landmarks: (5, 2) float32, see `Points`.
    detection_score: the confidence of the detector, in [0, 1].
    landmark_score: the confidence of the landmark network that this is a face, in [0, 1]. 1 if it did not run.
    quarter_turns: after this number of turns of the image by 90 degrees, counterclockwise, the head is nearly upright.
    quality: None until the face is embedded.
    Raises ValueError if the landmarks have another shape.
    """

    box: Box
    landmarks: Points
    detection_score: float
    landmark_score: float = 1.0
    quarter_turns: int = 0
    quality: FaceQuality | None = None

    def __post_init__(self) -> None:
        if self.landmarks.shape != (5, 2):
            raise ValueError(f"landmarks are (5, 2), not {self.landmarks.shape}")

    @property
    def score(self) -> float:
        """The product of the two scores."""
        return self.detection_score * self.landmark_score

    def scaled(self, factor: float) -> "Face":
        """Return the face in an image whose sides are `factor` times as long."""
        landmarks = ((self.landmarks + 0.5) * factor - 0.5).astype(np.float32)  # (0, 0) is the centre of a pixel
        return replace(self, box=self.box.scaled(factor), landmarks=landmarks)

    @property
    def roll_deg(self) -> float:
        """The rotation of the head in the image, clockwise, in (-180, 180] degrees. 0 is upright.

        It is the direction of the line from the person's right eye to the left eye.
        """
        across, down = (self.landmarks[1] - self.landmarks[0]).tolist()
        return math.degrees(math.atan2(down, across))


@dataclass(frozen=True, slots=True, eq=False)
class KeptCrop:
    """The part of a photograph around an enrolled face. Every embedder can cut its own crop out of it.

    picture: a JPEG, in which the head is nearly upright.
    reduction: how many pixels of the photograph one pixel of the picture stands for, along a side.
    box, landmarks: of the face, in pixels of the photograph. (0, 0) is the upper left pixel of the picture.
    """

    picture: bytes
    reduction: int
    box: Box
    landmarks: Points

    def to_bytes(self) -> bytes:
        """Return what is stored: the reduction, the box and the landmarks as 15 numbers (float32), then the picture."""
        box = self.box
        numbers = [self.reduction, box.x, box.y, box.width, box.height, *self.landmarks.ravel().tolist()]
        return np.array(numbers, _STORED_NUMBER).tobytes() + self.picture

    @classmethod
    def from_bytes(cls, stored: bytes) -> Self:
        """Read what `to_bytes` returned. Raises ValueError if it is something else."""
        numbers = np.frombuffer(stored, _STORED_NUMBER, _STORED_NUMBERS)
        reduction, *box = numbers[:5].tolist()
        if not np.isfinite(numbers).all() or reduction < 1:
            raise ValueError("the place of the face is damaged")
        return cls(stored[numbers.nbytes :], int(reduction), Box(*box), numbers[5:].reshape(5, 2).astype(np.float32))
