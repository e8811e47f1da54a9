"""The default index: FAISS in this process (github.com/facebookresearch/faiss). A Flat index is exact."""

from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from service.domain.command_errors import InvalidSettings
from service.domain.distances import MAX_SQ_L2
from service.domain.embedding import Embeddings
from service.gallery.base import FaceNumbers
from service.gallery.indexes.base import Neighbours

# FAISS computes a batch with BLAS if `probes * dimension` is at least this number. Its own default is 128,000: 1,000
# probes of 128 numbers. In our measurement, BLAS is faster from 8 such probes on, and several times faster with 32.
# See also FAISS pull requests 5022 and 5109.
faiss.cvar.distance_compute_blas_threshold = 1024


class FaissIndex:
    """An index that is described by a factory string of FAISS. Distances are squared L2 (METRIC_L2)."""

    def __init__(self, dimension: int, factory: str = "IDMap2,Flat") -> None:
        self._dimension = dimension
        self._index = _create(dimension, factory)
        self._numbers: set[int] = set()

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def numbers(self) -> FaceNumbers:
        return np.asarray(faiss.vector_to_array(self._index.id_map), np.int64)

    def add(self, numbers: FaceNumbers, embeddings: Embeddings) -> None:
        """Add faces. numbers: (n,) int64. embeddings: (n, d) float32, unit length.

        Raises ValueError, and adds nothing, if a number occurs twice or the shapes do not fit. FAISS itself would
        accept a number twice, and would later remove both faces together.
        """
        vectors = self._checked(embeddings)
        new = set(numbers.tolist())
        if len(vectors) != len(numbers):
            raise ValueError(f"{len(numbers)} numbers for {len(vectors)} embeddings")
        if len(new) != len(numbers) or not new.isdisjoint(self._numbers):
            raise ValueError("a number is in the index already")
        self._index.add_with_ids(vectors, np.ascontiguousarray(numbers, np.int64))
        self._numbers |= new

    def remove(self, numbers: FaceNumbers) -> int:
        """Remove faces and return how many were removed. Unknown numbers are ignored."""
        removed = int(self._index.remove_ids(np.ascontiguousarray(numbers, np.int64)))
        self._numbers.difference_update(numbers.tolist())
        return removed

    def search(self, probes: Embeddings, k: int) -> Neighbours:
        """Find the k nearest faces of each probe. probes: (n, d) float32.

        Raises ValueError if the shape does not fit.
        """
        vectors = self._checked(probes)
        k = min(k, len(self))
        if k == 0:
            return Neighbours(np.empty((len(vectors), 0), np.int64), np.empty((len(vectors), 0), np.float32))
        distances, numbers = self._index.search(vectors, k)
        return Neighbours(numbers, np.clip(distances, 0.0, MAX_SQ_L2))

    def _checked(self, embeddings: Embeddings) -> NDArray[np.float32]:
        # FAISS checks this with assert, which `python -O` leaves out.
        if embeddings.ndim != 2 or embeddings.shape[1] != self._dimension:
            raise ValueError(f"embeddings are (n, {self._dimension}), not {embeddings.shape}")
        return np.ascontiguousarray(embeddings, np.float32)


def _create(dimension: int, factory: str) -> Any:  # noqa: ANN401  # FAISS has no types
    try:
        index = faiss.index_factory(dimension, factory, faiss.METRIC_L2)
    except RuntimeError:
        raise InvalidSettings(f"FAISS has no index {factory!r}. Set FACE_GALLERY__INDEX=IDMap2,Flat.") from None
    if not (isinstance(index, faiss.IndexIDMap) and isinstance(faiss.downcast_index(index.index), faiss.IndexFlat)):
        raise InvalidSettings(
            f"The index {factory!r} is not exact or cannot remove a face. Set FACE_GALLERY__INDEX=IDMap2,Flat."
        )
    return index
