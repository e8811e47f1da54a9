"""YuNet (Wu, Peng, Yu, 2023): detects faces of any size in one pass over the image."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from service.domain.face import Box, Face
from service.domain.image import Image, Pixels
from service.model_files.card import DetectorCard
from service.model_files.model_file import ModelFile

STRIDE_PX = 32
"""The height and the width of the network's input are multiples of this."""

NMS_IOU = 0.3
NMS_TOP_K = 5000
"""The defaults of OpenCV's FaceDetectorYN."""

SHRINK_FACTORS = (1, 2, 4)
"""If nothing is found, the image is shrunk further by these factors. YuNet misses a face that fills its input."""


@dataclass(frozen=True, slots=True, eq=False)
class _NetworkInput:
    """An image in the upper left corner of the network's input.

    pixels: (h, w, 3) uint8, both sides multiples of STRIDE_PX.
    x_scale, y_scale: pixels of the input for each pixel of the image.
    """

    pixels: Pixels
    x_scale: float
    y_scale: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _NetworkOutput:
    """The output of the network for one input. boxes: (m, 4). scores: (m,). landmarks: (m, 5, 2). All float32."""

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    landmarks: NDArray[np.float32]


class YuNet:
    """Detects faces. Safe to call from several threads at once.

    max_side_px: a larger image is shrunk until its longer side has this size.
    min_score: a face must have at least this score, in [0, 1].
    """

    def __init__(self, file: ModelFile[DetectorCard], *, max_side_px: int, min_score: float) -> None:
        self._session = file.session
        self._max_side_px = max_side_px
        self._min_score = min_score

    def detect(self, images: Sequence[Image]) -> list[list[Face]]:
        """Return the faces of each image, highest detection score first. An image without a face has an empty list.

        The faces of an image do not depend on the other images: the image alone decides the size of its input.
        """
        found: list[list[Face]] = [[] for _ in images]
        for shrink in SHRINK_FACTORS:
            remaining = [number for number, faces in enumerate(found) if not faces]
            inputs = [_network_input(images[number].pixels, self._max_side_px, shrink) for number in remaining]
            for number, network_input, output in zip(remaining, inputs, self._run(inputs), strict=True):
                found[number] = self._faces(network_input, output)
        return found

    def _run(self, inputs: Sequence[_NetworkInput]) -> list[_NetworkOutput]:
        """Run the network once for all inputs of the same size."""
        by_size: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for number, network_input in enumerate(inputs):
            by_size[network_input.pixels.shape].append(number)
        results: dict[int, _NetworkOutput] = {}
        for numbers in by_size.values():
            batch = np.stack([inputs[number].pixels for number in numbers])
            outputs = self._session.run(["boxes", "scores", "landmarks"], {"images": batch})
            for number, boxes, scores, landmarks in zip(numbers, *outputs, strict=True):
                results[number] = _NetworkOutput(boxes=boxes, scores=scores, landmarks=landmarks)
        return [results[number] for number in range(len(inputs))]

    def _faces(self, network_input: _NetworkInput, output: _NetworkOutput) -> list[Face]:
        scale = np.array([network_input.x_scale, network_input.y_scale], np.float32)
        return [
            _face(output.boxes[row] / np.tile(scale, 2), output.landmarks[row] / scale, output.scores[row])
            for row in self._best_rows(output)
        ]

    def _best_rows(self, output: _NetworkOutput) -> Iterable[int]:
        """Return the rows of the faces, highest score first. A face that overlaps a better one is left out (NMS)."""
        rows = np.flatnonzero(output.scores >= self._min_score)
        if not rows.size:
            return []
        boxes, scores = output.boxes[rows].tolist(), output.scores[rows].tolist()
        kept = cv2.dnn.NMSBoxes(boxes, scores, self._min_score, NMS_IOU, top_k=NMS_TOP_K)
        return [int(rows[index]) for index in kept]


def _face(box: NDArray[np.float32], landmarks: NDArray[np.float32], score: np.float32) -> Face:
    x, y, width, height = (float(number) for number in box)
    return Face(Box(x, y, width, height), landmarks, float(score))


def _network_input(pixels: Pixels, max_side_px: int, shrink: int) -> _NetworkInput:
    """Shrink the image by area until it fits, and pad it with black. It is never enlarged."""
    height, width = pixels.shape[:2]
    scale = min(1.0, max_side_px / max(height, width)) / shrink
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    padded = np.zeros((_round_up(rows), _round_up(columns), 3), np.uint8)
    if (rows, columns) == (height, width):
        padded[:rows, :columns] = pixels
    else:
        padded[:rows, :columns] = cv2.resize(pixels, (columns, rows), interpolation=cv2.INTER_AREA)
    return _NetworkInput(padded, columns / width, rows / height)


def _round_up(side_px: int) -> int:
    """Round up to a multiple of STRIDE_PX."""
    return -(-side_px // STRIDE_PX) * STRIDE_PX
