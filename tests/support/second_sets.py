"""A second set of embeddings of made-up faces, without an event loop."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.gallery.base import EmbeddingModel
from tests.support.blocking_gallery import BlockingGallery


def other_vector(seed: int, model: EmbeddingModel) -> NDArray[np.float32]:
    """Return a unit vector, (d,) float32. The same seed gives the same vector."""
    vector = np.random.default_rng(1000 + seed).standard_normal(model.dimension)
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def run(gallery: BlockingGallery, method: str, *arguments: object, **options: object) -> Any:
    """Run a method of the second sets in this thread."""
    owner = gallery.gallery.reembeddings
    return getattr(type(owner), method).__wrapped__(owner, *arguments, **options)


def embed_waiting(gallery: BlockingGallery, seeds: Mapping[str, int], model: EmbeddingModel) -> None:
    """Store a vector of this model for each face that waits for one. seeds: by the ids of the faces."""
    for collection, faces in run(gallery, "waiting", model.id).items():
        run(gallery, "store", collection, model.id, {face: other_vector(seeds[face], model) for face in faces})
