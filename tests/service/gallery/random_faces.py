"""Faces with random unit vectors as embeddings, and two models that do not exist."""

import hashlib

import numpy as np

from service.domain.embedding import Embeddings
from service.domain.face import Box, KeptCrop
from service.gallery.base import EmbeddingModel, FaceToEnrol

MODEL = EmbeddingModel("a" * 64, 16)
OTHER_MODEL = EmbeddingModel("b" * 64, 16)


def make_embeddings(count: int, seed: int = 0) -> Embeddings:
    """Return (count, 16) float32 of unit length. The same seed gives the same embeddings."""
    vectors = np.random.default_rng(seed).standard_normal((count, MODEL.dimension))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def make_faces(count: int, seed: int = 0) -> list[FaceToEnrol]:
    """Return faces of different photographs."""
    return [
        FaceToEnrol(hashlib.sha256(embedding.tobytes()).hexdigest(), embedding)
        for embedding in make_embeddings(count, seed)
    ]


def make_face(seed: int) -> FaceToEnrol:
    """Return one face."""
    return make_faces(1, seed)[0]


def make_crop(seed: int) -> KeptCrop:
    """Return a kept crop with random bytes in place of a picture. It is as large as a real one."""
    random = np.random.default_rng(seed)
    landmarks = random.uniform(0, 200, (5, 2)).astype(np.float32)
    return KeptCrop(random.bytes(20_000), 2, Box(10.0, 20.0, 80.0, 110.0), landmarks)
