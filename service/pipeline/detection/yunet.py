"""YuNet (Wu, Peng, Yu, 2023): detects faces in one pass over the picture."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.domain.face import Box, Face
from service.domain.image import Pixels
from service.model_files.card import DetectorCard
from service.model_files.model_file import ModelFile
from service.pipeline.detection.overlaps import without_overlaps

STRIDE_PX = 32
"""Both sides of the network's input are multiples of this."""

SMALL_FACE_PX = 40
"""Faces that are narrower get lower scores from the network."""

NMS_TOP_K = 5000
"""The most boxes that are compared with each other. It is the default of OpenCV's FaceDetectorYN."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _NetworkOutput:
    """The output of the network for one input. boxes: (m, 4). scores: (m,). landmarks: (m, 5, 2). All float32."""

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    landmarks: NDArray[np.float32]


class YuNet:
    """Detects faces between 22 and about 300 pixels wide. Safe to call from several threads at once.

    min_score: a face must have at least this detection score, in [0, 1].
    small_min_score: the same for a face that is narrower than SMALL_FACE_PX.
    """

    min_face_px = 22
    """At a minimum score of 0.6 it finds 99.5 % of LFW's faces at this width, 92 % at 16 px and 48 % at 12 px."""

    def __init__(self, file: ModelFile[DetectorCard], *, min_score: float, small_min_score: float) -> None:
        self._session = file.session
        self._min_score = min_score
        self._small_min_score = small_min_score

    def detect(self, pixels: Pixels) -> list[Face]:
        """Return the faces, highest detection score first.

        pixels: (h, w, 3) uint8 RGB, of any size. They are searched at this size.
        """
        output = self._run(_pad(pixels))
        return [_face(output.boxes[row], output.landmarks[row], output.scores[row]) for row in self._best_rows(output)]

    def _run(self, pixels: Pixels) -> _NetworkOutput:
        (boxes,), (scores,), (landmarks,) = self._session.run(
            ["boxes", "scores", "landmarks"], {"images": pixels[np.newaxis]}
        )
        return _NetworkOutput(boxes=boxes, scores=scores, landmarks=landmarks)

    def _best_rows(self, output: _NetworkOutput) -> list[int]:
        """Return the rows of the faces, highest score first. A face that overlaps a better one is left out."""
        is_small = output.boxes[:, 2] < SMALL_FACE_PX
        rows = np.flatnonzero(output.scores >= np.where(is_small, self._small_min_score, self._min_score))
        kept = without_overlaps(output.boxes[rows].tolist(), output.scores[rows].tolist(), NMS_TOP_K)
        return [int(row) for row in rows[kept]]


def _face(box: NDArray[np.float32], landmarks: NDArray[np.float32], score: np.float32) -> Face:
    x, y, width, height = (float(number) for number in box)
    return Face(Box(x, y, width, height), landmarks, float(score))


def _pad(pixels: Pixels) -> Pixels:
    """Add black pixels on the right and below, until both sides are multiples of STRIDE_PX."""
    height, width = pixels.shape[:2]
    padded = np.zeros((_round_up(height), _round_up(width), 3), np.uint8)
    padded[:height, :width] = pixels
    return padded


def _round_up(side_px: int) -> int:
    """Round up to a multiple of STRIDE_PX."""
    return -(-side_px // STRIDE_PX) * STRIDE_PX
