"""People with made-up embeddings: each person's faces are near a random centre."""

import hashlib
from collections.abc import Mapping

import numpy as np

from service.domain.distances import unit
from service.domain.embedding import Embeddings
from service.gallery.base import EmbeddingModel, FaceOfSubject, FaceToEnrol, SubjectToCreate
from service.gallery.gallery import Gallery

FACES_PER_BLOCK = 1_000


def make_people(count: int, faces: int = 1, dimension: int = 128, seed: int = 0) -> dict[str, Embeddings]:
    """Return the embeddings of people by their ids, each (faces, dimension) float32 of unit length."""
    rng = np.random.default_rng(seed)
    centres = unit(rng.normal(size=(count, 1, dimension)).astype(np.float32))
    spread = 0.5 / np.sqrt(dimension) * rng.normal(size=(count, faces, dimension))
    return {f"person-{number:04}": one for number, one in enumerate(unit((centres + spread).astype(np.float32)))}


def faces_of(embeddings: Embeddings) -> list[FaceToEnrol]:
    """Return faces of different photographs."""
    return [FaceToEnrol(hashlib.sha256(one.tobytes()).hexdigest(), one) for one in embeddings]


async def enrol_people(
    gallery: Gallery, collection: str, people: Mapping[str, Embeddings], model: EmbeddingModel
) -> None:
    """Enrol people as new subjects of a collection that exists."""
    new = [
        FaceOfSubject(SubjectToCreate(subject), face)
        for subject, embeddings in people.items()
        for face in faces_of(embeddings)
    ]
    for start in range(0, len(new), FACES_PER_BLOCK):
        await gallery.enrol_block(collection, new[start : start + FACES_PER_BLOCK], model)
