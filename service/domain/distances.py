"""Distances between embeddings. No other module computes or converts a distance.

Every distance in this project is the squared L2 distance of unit vectors (FaceNet, section 3.1). It is in [0, 4]: 0 for
equal vectors, 4 for opposite vectors, and `2 - 2 cos` in between. FaceNet's threshold 1.242 is on this scale.
"""

import math

import numpy as np
from numpy.typing import NDArray

from service.domain.embedding import Embeddings

Distances = NDArray[np.float32]
"""Squared L2 distances, in [0, 4]."""

FACENET_THRESHOLD_SQ_L2 = 1.242
"""The threshold of verification in FaceNet, section 5.6."""

MAX_SQ_L2 = 4.0


def squared_l2(probes: Embeddings, references: Embeddings) -> Distances:
    """Return the distance between every probe and every reference.

    probes: (n, d) float32 unit vectors.
    references: (m, d) float32 unit vectors.
    Returns (n, m) float32.
    """
    distances: Distances = np.clip(2.0 - 2.0 * (probes @ references.T), 0.0, MAX_SQ_L2, dtype=np.float32)
    return distances


def paired_squared_l2(left: Embeddings, right: Embeddings) -> Distances:
    """Return the distance between row i of `left` and row i of `right`.

    left, right: (n, d) float32 unit vectors.
    Returns (n,) float32.
    """
    difference = left - right
    distances: Distances = np.clip(np.einsum("nd,nd->n", difference, difference), 0.0, MAX_SQ_L2, dtype=np.float32)
    return distances


def unit(vectors: NDArray[np.float32]) -> Embeddings:
    """Scale vectors to length 1. vectors: (..., d) float32, none of them zero."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), dtype=np.float32)


def plain_l2(sq_l2: float) -> float:
    """Convert a squared L2 distance to the plain L2 distance, which scikit-learn calls "euclidean"."""
    return math.sqrt(sq_l2)
