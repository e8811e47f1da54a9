"""Hand-written stand-ins at the seams of the pipeline: fast, told what to do, and asked afterwards what they saw."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from service.domain import Box, Crops, Embeddings, Face, Image


def numbered_crops(*numbers: int) -> Crops:
    """Crops of one pixel; `CountingEmbedder` gives each the embedding (number, 1)."""
    return np.array(numbers, np.uint8).reshape(-1, 1, 1, 1).repeat(3, axis=3)


class CountingEmbedder:
    """Keeps the numbers of the crops of each call."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []

    def embed(self, crops: Crops) -> Embeddings:
        """(n, 1, 1, 3) uint8 -> (n, 2) float32."""
        numbers = crops[:, 0, 0, 0]
        self.calls.append(numbers.tolist())
        return np.stack([numbers, np.ones(len(numbers))], axis=1).astype(np.float32)


class GatedEmbedder(CountingEmbedder):
    """Does not answer before its gate is opened; `entered` counts the calls that wait there."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.entered = threading.Semaphore(0)

    def embed(self, crops: Crops) -> Embeddings:
        """As CountingEmbedder, once the gate is open."""
        embeddings = super().embed(crops)
        self.entered.release()
        self.gate.wait()
        return embeddings


class FailingEmbedder(GatedEmbedder):
    """Fails at the crop 13."""

    def embed(self, crops: Crops) -> Embeddings:
        """As GatedEmbedder; raises ArithmeticError."""
        embeddings = super().embed(crops)
        if 13 in self.calls[-1]:
            raise ArithmeticError("thirteen")
        return embeddings


class ForgetfulEmbedder(CountingEmbedder):
    """Loses the last embedding of each call that holds the crop 13."""

    def embed(self, crops: Crops) -> Embeddings:
        """(n, 1, 1, 3) uint8 -> (n - 1, 2) float32."""
        embeddings = super().embed(crops)
        return embeddings[:-1] if 13 in self.calls[-1] else embeddings


@dataclass
class FixedDetector:
    """Finds the same faces in every image."""

    faces: list[Face] = field(default_factory=list)

    def detect(self, images: Sequence[Image]) -> list[list[Face]]:
        """The faces, for each image."""
        return [list(self.faces) for _ in images]


def face(x: float, y: float, width: float, height: float, score: float = 1.0) -> Face:
    """With its points where a face that looks at the camera has them."""
    points = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)
    size, corner = np.array([width, height], np.float32), np.array([x, y], np.float32)
    return Face(Box(x, y, width, height), points * size + corner, score)
