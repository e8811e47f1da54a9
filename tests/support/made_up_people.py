"""People with made-up embeddings: each person's faces are near a random centre."""

import hashlib
from collections.abc import Mapping
from contextlib import suppress

import numpy as np

from service.domain.distances import unit
from service.domain.embedding import Embeddings
from service.domain.errors import StorageUnavailable
from service.gallery.base import EmbeddingModel, FaceToEnrol, SubjectToCreate
from service.gallery.gallery import Gallery
from service.gallery.records.statements import collections, faces, subjects


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
    """Enrol people as subjects of a collection that exists. One transaction for all is faster than one for each."""
    with gallery.database.writing() as connection:
        key = collections.find(connection, collection).key
        for subject, embeddings in people.items():
            subjects.create(connection, key, SubjectToCreate(subject))
            faces.enrol(connection, key, subjects.find_key(connection, key, subject), faces_of(embeddings))
        if people:
            collections.bind_model(connection, key, model)
    with suppress(StorageUnavailable):  # the check finds that the index has not these faces, and builds it again
        await gallery.check()
