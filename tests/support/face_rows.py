"""Detected faces as numbers, for comparisons."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from service.domain.face import Face


def to_rows(faces: Sequence[Face]) -> NDArray[np.float64]:
    """Return the faces as (n, 15), in the form of OpenCV: box, five landmarks and detection score."""
    rows = [
        [
            face.box.x,
            face.box.y,
            face.box.width,
            face.box.height,
            *face.landmarks.ravel().tolist(),
            face.detection_score,
        ]
        for face in faces
    ]
    return np.array(rows, np.float64).reshape(-1, 15)
