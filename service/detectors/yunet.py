"""YuNet (Wu, Peng, Yu, 2023): faces of any size in one pass, on letterboxed images."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from service.card import DetectorCard
from service.domain import Box, Face, Image, Pixels
from service.model_file import ModelFile

STRIDE_PX = 32
"""Both sides of the network's input are multiples of it."""

NMS_IOU = 0.3
NMS_TOP_K = 5000
"""The defaults of OpenCV's FaceDetectorYN."""

LOOKS = (1, 2, 4)
"""By how much a photograph is shrunk further where nothing was found: YuNet overlooks faces that fill its view."""


@dataclass(frozen=True, slots=True, eq=False)
class _Letterbox:
    """An image on its canvas, in the upper left corner. x_scale, y_scale: canvas pixels per image pixel."""

    canvas: Pixels
    x_scale: float
    y_scale: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidates:
    """What the network says of one canvas. boxes: (m, 4), scores: (m,), landmarks: (m, 5, 2), all float32."""

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    landmarks: NDArray[np.float32]


class YuNet:
    """Finds faces. Safe to call from several threads at once."""

    def __init__(self, file: ModelFile[DetectorCard], *, max_side_px: int, min_score: float) -> None:
        """max_side_px: larger images are shrunk to it. min_score: of a face, from 0 to 1."""
        self._session = file.session
        self._max_side_px = max_side_px
        self._min_score = min_score

    def detect(self, images: Sequence[Image]) -> list[list[Face]]:
        """The faces of each image, most certain first; an empty list where none is.

        A photograph's faces are the same whether it comes alone or among others: its canvas depends on its own size.
        """
        found: list[list[Face]] = [[] for _ in images]
        for shrink in LOOKS:
            waiting = [number for number, faces in enumerate(found) if not faces]
            boxed = [_letterbox(images[number].pixels, self._max_side_px, shrink) for number in waiting]
            for number, letterbox, candidates in zip(waiting, boxed, self._run(boxed), strict=True):
                found[number] = self._faces(letterbox, candidates)
        return found

    def _run(self, boxed: Sequence[_Letterbox]) -> list[_Candidates]:
        """One call of the network for all that share a canvas's size."""
        by_size: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for number, letterbox in enumerate(boxed):
            by_size[letterbox.canvas.shape].append(number)
        candidates: dict[int, _Candidates] = {}
        for numbers in by_size.values():
            batch = np.stack([boxed[number].canvas for number in numbers])
            outputs = self._session.run(["boxes", "scores", "landmarks"], {"images": batch})
            for number, boxes, scores, landmarks in zip(numbers, *outputs, strict=True):
                candidates[number] = _Candidates(boxes=boxes, scores=scores, landmarks=landmarks)
        return [candidates[number] for number in range(len(boxed))]

    def _faces(self, letterbox: _Letterbox, candidates: _Candidates) -> list[Face]:
        scale = np.array([letterbox.x_scale, letterbox.y_scale], np.float32)
        return [
            _face(candidates.boxes[row] / np.tile(scale, 2), candidates.landmarks[row] / scale, candidates.scores[row])
            for row in self._best(candidates)
        ]

    def _best(self, candidates: _Candidates) -> Iterable[int]:
        """Rows of the faces, most certain first, without those that overlap a more certain one."""
        rows = np.flatnonzero(candidates.scores >= self._min_score)
        if not rows.size:
            return []
        boxes, scores = candidates.boxes[rows].tolist(), candidates.scores[rows].tolist()
        kept = cv2.dnn.NMSBoxes(boxes, scores, self._min_score, NMS_IOU, top_k=NMS_TOP_K)
        return [int(rows[index]) for index in kept]


def _face(box: NDArray[np.float32], landmarks: NDArray[np.float32], score: np.float32) -> Face:
    x, y, width, height = (float(number) for number in box)
    return Face(Box(x, y, width, height), landmarks, float(score))


def _letterbox(pixels: Pixels, max_side_px: int, shrink: int) -> _Letterbox:
    """Shrunk by area until it fits, never enlarged; black to the right and below up to multiples of the stride."""
    height, width = pixels.shape[:2]
    scale = min(1.0, max_side_px / max(height, width)) / shrink
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    canvas = np.zeros((_up(rows), _up(columns), 3), np.uint8)
    if (rows, columns) == (height, width):
        canvas[:rows, :columns] = pixels
    else:
        canvas[:rows, :columns] = cv2.resize(pixels, (columns, rows), interpolation=cv2.INTER_AREA)
    return _Letterbox(canvas, columns / width, rows / height)


def _up(side_px: int) -> int:
    return -(-side_px // STRIDE_PX) * STRIDE_PX
