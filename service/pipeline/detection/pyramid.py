"""Detect faces of every size: the photograph is searched at several scales (an image pyramid), large scales in tiles.

A detector finds faces from its least width up to about 300 pixels. So each level of the pyramid is half as large as the
one before. The first level decides which small faces are found, and how long the search takes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from service.domain.face import Box, Face
from service.domain.image import Image, Pixels
from service.domain.waiting import require_waiting_client
from service.pipeline.detection.base import Detector
from service.pipeline.detection.overlaps import without_overlaps
from service.pipeline.detection.quarter_turns import turn, turn_back

FULL_SIZE_PX = 640
"""A photograph whose longer side is at most this is searched at its full size."""

SMALLEST_LEVEL_PX = 160
"""The longer side of the smallest level is at least this. A face that fills it is found: YuNet finds 300 px."""

TILE_PX = 960
"""A larger level is searched in tiles of at most this side. So the memory of the detector has a limit."""

OVERLAP_PX = 96
"""How far neighbouring tiles overlap. A face 43 pixels wide, and 56 high, is whole in one of them, away from borders.

A wider face is also found at the next level, where it is half as wide.
"""

BORDER_PX = 20
BORDER_SHARE = 0.2
"""A face that is nearer to an inner border of its tile can be a part of a face. It is left out.

The distance is in pixels, or a share of the side of its box, whichever is more. The box of half a face does not end
exactly at the border.
"""

REDUCTIONS = (1, 2, 4, 8)
"""How many pixels of a photograph one decoded pixel can stand for, along a side."""

MAX_ENLARGED = 1.125
"""How much a photograph that was decoded at reduced scale may be enlarged for its first level.

With the default options the first level has 0.55 of the sides, and half of the sides are decoded: 1.1.
"""

MAX_CANDIDATES = 1000
"""The most faces of one photograph that are returned: those with the highest scores."""

MAX_LEVELS = 20
"""More than there can be: the first level has sides of at most 65,535 pixels, and each level halves them."""


@dataclass(frozen=True, slots=True)
class PyramidDetector:
    """Finds faces of any size in photographs of any size. Safe to call from several threads at once.

    min_face_px: the width of the smallest face to look for, in pixels of the photograph.
    max_side_px: a larger photograph is shrunk until its longer side has this size. It limits the time.
    """

    detector: Detector
    min_face_px: int
    max_side_px: int

    def detect(self, image: Image, quarter_turns: int = 0) -> list[Face]:
        """Return the faces, highest detection score first.

        quarter_turns: how often the photograph is turned by 90 degrees, counterclockwise, before it is searched.
        The faces are in pixels of the photograph that was given.
        """
        found: list[Face] = []
        ranks: list[float] = []
        for number, level in enumerate(self._levels(image)):
            faces = list(self._search_level(image, turn(level, quarter_turns), quarter_turns))
            found += faces
            # A box is more precise at a larger level. So all faces of a level rank before those of a smaller level.
            ranks += [face.detection_score + MAX_LEVELS - number for face in faces]
        kept = best_faces(found, ranks)
        return sorted(kept, key=lambda face: face.detection_score, reverse=True)[:MAX_CANDIDATES]

    def choose_reduction(self, width: int, height: int) -> int:
        """Return the greatest reduction at which a photograph can be decoded and searched as well as at full size."""
        least = self._first_scale(max(width, height)) / MAX_ENLARGED
        return max(reduction for reduction in REDUCTIONS if 1 / reduction >= min(1.0, least))

    def _first_scale(self, longer_px: int) -> float:
        """Return the scale of the first level of a photograph, by its longer side."""
        least_scale = max(FULL_SIZE_PX / longer_px, self.detector.min_face_px / self.min_face_px)
        return min(1.0, self.max_side_px / longer_px, least_scale)

    def _levels(self, image: Image) -> Iterator[Pixels]:
        """Yield the photograph at each scale, the largest first."""
        longer = max(image.width, image.height)
        scale = self._first_scale(longer)
        pixels = image.pixels
        while True:
            pixels = _resize(pixels, round(image.width * scale), round(image.height * scale))
            yield pixels
            scale /= 2
            if longer * scale < SMALLEST_LEVEL_PX:
                return

    def _search_level(self, image: Image, level: Pixels, quarter_turns: int) -> Iterator[Face]:
        """Yield the faces of a turned level, in pixels of the photograph. Raises Abandoned before a tile."""
        height, width = level.shape[:2]
        for rows in _spans(height):
            for columns in _spans(width):
                require_waiting_client()
                for face in self.detector.detect(level[slice(*rows), slice(*columns)]):
                    box = face.box
                    if _is_whole(box.x, box.width, columns, width) and _is_whole(box.y, box.height, rows, height):
                        yield _to_photograph(face, (columns[0], rows[0]), level, image, quarter_turns)


def best_faces(faces: Sequence[Face], ranks: Sequence[float]) -> list[Face]:
    """Return the faces, highest rank first. A face that overlaps one of a higher rank is left out.

    ranks: one for each face, at least 0.
    """
    boxes = [(face.box.x, face.box.y, face.box.width, face.box.height) for face in faces]
    return [faces[position] for position in without_overlaps(boxes, ranks)]


def _resize(pixels: Pixels, width: int, height: int) -> Pixels:
    """Shrink a picture by area, or enlarge it a little. Both sides have at least one pixel."""
    size = (max(1, width), max(1, height))
    if size == (pixels.shape[1], pixels.shape[0]):
        return pixels
    if abs(pixels.strides[0]) < abs(pixels.strides[1]):
        return _resize(pixels.transpose(1, 0, 2), height, width).transpose(1, 0, 2)
    # OpenCV would copy a view with another order of rows or columns.
    order = tuple(slice(None, None, -1 if stride < 0 else 1) for stride in pixels.strides[:2])
    interpolation = cv2.INTER_AREA if size[0] <= pixels.shape[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels[order], size, interpolation=interpolation), np.uint8)[order]


def _spans(side_px: int) -> list[tuple[int, int]]:
    """Return the start and the end of each tile along a side. Tiles overlap by OVERLAP_PX and have nearly one size."""
    count = max(1, -(-(side_px - OVERLAP_PX) // (TILE_PX - OVERLAP_PX)))
    step_px = -(-(side_px - OVERLAP_PX) // count)
    starts = [number * step_px for number in range(count)]
    return [(start, min(side_px, start + step_px + OVERLAP_PX)) for start in starts]


def _is_whole(start: float, length: float, span: tuple[int, int], side_px: int) -> bool:
    """Return whether a side of a box is away from the borders of its tile that are not borders of the photograph.

    start: in pixels of the tile. span: the start and the end of the tile along a side of the level.
    """
    distance = max(BORDER_PX, BORDER_SHARE * length)
    first, last = span
    after_start = first == 0 or start >= distance
    before_end = last == side_px or start + length <= last - first - distance
    return after_start and before_end


def _to_photograph(face: Face, corner: tuple[int, int], level: Pixels, image: Image, quarter_turns: int) -> Face:
    """Move a face of a tile to the photograph. corner: the left and top of the tile in the turned level."""
    height, width = level.shape[:2] if quarter_turns % 2 == 0 else level.shape[1::-1]
    scale = np.array([image.width / width, image.height / height], np.float32)
    box = np.array([[face.box.x, face.box.y], [face.box.x + face.box.width, face.box.y + face.box.height]], np.float32)
    corners, landmarks = (
        turn_back(points + np.array(corner, np.float32), quarter_turns, width - 1, height - 1) * scale
        for points in (box, face.landmarks)
    )
    x, y = corners.min(axis=0).tolist()
    box_width, box_height = np.ptp(corners, axis=0).tolist()
    return replace(face, box=Box(x, y, box_width, box_height), landmarks=landmarks, quarter_turns=quarter_turns)
