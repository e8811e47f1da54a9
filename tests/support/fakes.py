"""Fake embedders, a fake detector and a face. They are fast, and the test controls what they do."""

import threading

import numpy as np

from service.domain.embedding import Embeddings
from service.domain.face import Box, Crops, Face
from service.domain.image import Image, Pixels


def numbered_crops(*numbers: int) -> Crops:
    """Return crops of one pixel. `CountingEmbedder` gives each the embedding (number, 1)."""
    return np.array(numbers, np.uint8).reshape(-1, 1, 1, 1).repeat(3, axis=3)


class CountingEmbedder:
    """Records the numbers of the crops of each call."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []

    def embed(self, crops: Crops) -> Embeddings:
        """Embed (n, 1, 1, 3) uint8 as (n, 2) float32."""
        numbers = crops[:, 0, 0, 0]
        self.calls.append(numbers.tolist())
        return np.stack([numbers, np.ones(len(numbers))], axis=1).astype(np.float32)


class BlockingEmbedder(CountingEmbedder):
    """Returns from no call until `may_return` is set. calls_started: counts the calls that have begun."""

    def __init__(self) -> None:
        super().__init__()
        self.may_return = threading.Event()
        self.calls_started = threading.Semaphore(0)

    def embed(self, crops: Crops) -> Embeddings:
        """Return what CountingEmbedder returns, once `may_return` is set."""
        embeddings = super().embed(crops)
        self.calls_started.release()
        self.may_return.wait()
        return embeddings


class FailingEmbedder(BlockingEmbedder):
    """Fails if a call has the crop 13."""

    def embed(self, crops: Crops) -> Embeddings:
        """Return what BlockingEmbedder returns. Raises ArithmeticError if there is a crop 13."""
        embeddings = super().embed(crops)
        if 13 in self.calls[-1]:
            raise ArithmeticError("thirteen")
        return embeddings


class IncompleteEmbedder(CountingEmbedder):
    """Returns one embedding too few if a call has the crop 13."""

    def embed(self, crops: Crops) -> Embeddings:
        """Embed (n, 1, 1, 3) uint8 as (n, 2) float32, or as (n - 1, 2) if there is a crop 13."""
        embeddings = super().embed(crops)
        return embeddings[:-1] if 13 in self.calls[-1] else embeddings


class RecordingDetector:
    """Finds the same faces in every picture, and records the sizes of the pictures: (width, height)."""

    min_face_px = 20

    def __init__(self, *faces: Face) -> None:
        self.faces = faces
        self.sizes: list[tuple[int, int]] = []

    def detect(self, pixels: Pixels) -> list[Face]:
        """Return the faces."""
        self.sizes.append((pixels.shape[1], pixels.shape[0]))
        return list(self.faces)


class BlockingFinder:
    """Finds the same faces in every photograph, once `may_return` is set.

    begun: counts the photographs that are searched or were searched. widths: the width of each, in order.
    """

    def __init__(self, *faces: Face) -> None:
        self.faces = faces
        self.widths: list[int] = []
        self.begun = threading.Semaphore(0)
        self.may_return = threading.Event()

    def find(self, image: Image) -> list[Face]:
        """Return the faces."""
        self.widths.append(image.width)
        self.begun.release()
        self.may_return.wait()
        return list(self.faces)


def frontal_face(x: float, y: float, width: float, height: float, detection_score: float = 1.0) -> Face:
    """Return a face in this box, with the landmarks of a face that is turned to the camera."""
    points = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)
    size, corner = np.array([width, height], np.float32), np.array([x, y], np.float32)
    return Face(Box(x, y, width, height), points * size + corner, detection_score)
