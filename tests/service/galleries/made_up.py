"""Faces that nobody has: random unit vectors, and a model that nobody trained."""

import hashlib

import numpy as np

from service.domain import Embeddings
from service.galleries.base import ModelRef, NewFace

MODEL = ModelRef("a" * 64, 16)
OTHER_MODEL = ModelRef("b" * 64, 16)


def vectors(count: int, seed: int = 0) -> Embeddings:
    """(count, 16) float32, unit length, the same for the same seed."""
    drawn = np.random.default_rng(seed).standard_normal((count, MODEL.dimension))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)


def faces(count: int, seed: int = 0) -> list[NewFace]:
    """Each from a photograph of its own."""
    return [NewFace(hashlib.sha256(vector.tobytes()).hexdigest(), vector) for vector in vectors(count, seed)]


def face(seed: int) -> NewFace:
    """One of them."""
    return faces(1, seed)[0]
