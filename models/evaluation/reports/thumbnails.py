"""A small picture of a photograph, with the boxes of its faces, for a contact sheet."""

from collections.abc import Iterable

import cv2
import numpy as np

from service.domain.face import Box
from service.domain.image import Pixels

THUMBNAIL_PX = 160
BOX_COLOUR = (255, 0, 0)


def make_thumbnail(pixels: Pixels, boxes: Iterable[Box]) -> Pixels:
    """Return the photograph on a white square, (THUMBNAIL_PX, THUMBNAIL_PX, 3) uint8.

    pixels: (h, w, 3) uint8.
    boxes: in pixels of the photograph.
    """
    height, width = pixels.shape[:2]
    scale = THUMBNAIL_PX / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    for box in boxes:
        left, top, box_width, box_height = (round(number * scale) for number in (box.x, box.y, box.width, box.height))
        cv2.rectangle(small, (left, top, box_width, box_height), BOX_COLOUR)
    thumbnail = np.full((THUMBNAIL_PX, THUMBNAIL_PX, 3), 255, np.uint8)
    thumbnail[: size[1], : size[0]] = small
    return thumbnail
