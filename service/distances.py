"""The only formulas of distance, and the only conversions.

Every distance of this project is the squared L2 distance of unit vectors, in [0, 4] (FaceNet, section 3.1): 0 is the
same vector, 4 the opposite one, and `2 - 2 cos` in between. FaceNet's threshold 1.242 is on this scale.
"""

import math

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]

MAX_SQ_L2 = 4.0


def squared_l2(probes: Vectors, references: Vectors) -> Vectors:
    """Squared L2 between every probe and every reference.

    probes: (n, d) float32 unit vectors. references: (m, d) likewise. Returns (n, m) float32 in [0, 4].
    """
    distances: Vectors = np.clip(2.0 - 2.0 * (probes @ references.T), 0.0, MAX_SQ_L2, dtype=np.float32)
    return distances


def paired_squared_l2(left: Vectors, right: Vectors) -> Vectors:
    """Squared L2 of row i of `left` and row i of `right`, both (n, d) unit vectors. Returns (n,) float32 in [0, 4]."""
    difference = left - right
    distances: Vectors = np.clip(np.einsum("nd,nd->n", difference, difference), 0.0, MAX_SQ_L2, dtype=np.float32)
    return distances


def unit(vectors: Vectors) -> Vectors:
    """The same directions at length 1. vectors: (..., d) float32, none of them zero."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), dtype=np.float32)


def plain_l2(sq_l2: float) -> float:
    """The plain Euclidean distance of two vectors whose squared L2 distance is given (scikit-learn's "euclidean")."""
    return math.sqrt(sq_l2)
