"""The secret rotation of the vectors that leave the records for an index.

A rotation keeps all distances, so searches, thresholds and decisions stay. But a rotated vector cannot be compared with
a photograph without the rotation. This is weaker than encryption: who has the index and enough vectors of known
photographs in it can compute the rotation. docs/encryption.md says more.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

from service.domain.embedding import Embeddings

ROWS_AT_ONCE = 4096
"""Vectors are rotated in float64. In blocks, this takes little memory."""

Rotation = NDArray[np.float64]
"""(d, d) float64, orthogonal."""


def derive_rotation(secret: bytes, dimension: int) -> Rotation:
    """Derive a random orthogonal matrix (d, d): the Q of a matrix of normal numbers, with the signs of Stewart (1980).

    An index may be kept longer than a version of NumPy. So the numbers are not drawn by NumPy, which may change how it
    draws normal numbers (NEP 19). They are made from SHAKE-256 (FIPS 202) by the formula of Box and Muller. NumPy
    computes elementary functions and a QR decomposition. These differ between versions and CPUs by rounding only, about
    1e-15, and an index holds float32.
    """
    normal = _normal_numbers(secret, dimension * dimension).reshape(dimension, dimension)
    q, r = np.linalg.qr(normal)
    rotation: Rotation = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)  # without this, Q depends on LAPACK's signs
    return rotation


def rotate(vectors: Embeddings, rotation: Rotation) -> Embeddings:
    """Rotate vectors (n, d) float32. Distances change by float32 rounding only."""
    rotated = np.empty_like(vectors)
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        rotated[rows] = vectors[rows].astype(np.float64) @ rotation
    return rotated


def _normal_numbers(secret: bytes, count: int) -> NDArray[np.float64]:
    """Return `count` standard normal numbers (Box and Muller, 1958)."""
    stream = hashlib.shake_256(b"facenet rotation" + secret).digest(16 * count)
    numbers = np.frombuffer(stream, "<u8").reshape(2, count) >> np.uint64(11)  # a float64 has 53 bits
    radius_from, angle_from = (numbers + 0.5) * 2.0**-53  # between 0 and 1, and never 0
    normal: NDArray[np.float64] = np.sqrt(-2 * np.log(radius_from)) * np.cos(2 * np.pi * angle_from)
    return normal
