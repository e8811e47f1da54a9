"""Of overlapping boxes, keep the best one (non-maximum suppression, NMS)."""

from collections.abc import Sequence

import cv2

NMS_IOU = 0.3
"""Boxes that overlap more than this (intersection over union) are one face. It is the default of OpenCV's detector."""

Rectangle = Sequence[float]
"""x, y, width and height of a box."""


def without_overlaps(boxes: Sequence[Rectangle], ranks: Sequence[float], max_boxes: int = 0) -> list[int]:
    """Return the positions of the boxes, highest rank first. A box that overlaps one of a higher rank is left out.

    ranks: one for each box, at least 0.
    max_boxes: only this number of boxes is compared, those with the highest ranks. 0: all.
    """
    if not boxes:
        return []
    return [int(position) for position in cv2.dnn.NMSBoxes(boxes, ranks, 0.0, NMS_IOU, top_k=max_boxes)]
