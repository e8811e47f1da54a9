"""An exact index: FAISS (github.com/facebookresearch/faiss) compares a probe with every face."""

import faiss
import numpy as np
from numpy.typing import NDArray

from service.domain.distances import MAX_SQ_L2, Distances, squared_l2
from service.domain.embedding import Embeddings
from service.gallery.base import FaceNumbers
from service.gallery.indexes.base import HoldsEmbeddings, Neighbours, ReadVectors, read_blocks, read_nothing
from service.gallery.indexes.growing import GrowingRows

# FAISS computes a batch with BLAS if `probes * dimension` is at least this number. Its own default is 128,000: 1,000
# probes of 128 numbers. In our measurement, BLAS is faster from 8 such probes on, and several times faster with 32.
# See also FAISS pull requests 5022 and 5109.
faiss.cvar.distance_compute_blas_threshold = 1024

NO_NUMBER = -1
"""Below all numbers of faces."""


class FlatIndex(HoldsEmbeddings):
    """The embeddings in an array of ours, which FAISS searches.

    The indexes of FAISS itself copy all that follows a removed face. Here, the last face takes its place.
    """

    def __init__(self, dimension: int, read: ReadVectors = read_nothing) -> None:
        self._dimension = dimension
        self._read = read
        self._numbers = GrowingRows(np.int64)
        self._vectors = GrowingRows(np.float32, dimension)
        self._highest = NO_NUMBER

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def numbers(self) -> FaceNumbers:
        return self._numbers.rows

    def fill(self, numbers: FaceNumbers) -> None:
        """Add stored faces to an empty index, which reads their embeddings. Raises StorageUnavailable."""
        for found, embeddings in read_blocks(self._read, numbers):
            self.add(found, embeddings)

    def add(self, numbers: FaceNumbers, embeddings: Embeddings) -> None:
        """Add faces. numbers: (n,) int64. embeddings: (n, d) float32, unit length.

        Raises ValueError, and adds nothing, if a number occurs twice or the shapes do not fit.
        """
        vectors = check_vectors(embeddings, self._dimension)
        if len(vectors) != len(numbers):
            raise ValueError(f"{len(numbers)} numbers for {len(vectors)} embeddings")
        if not len(numbers):
            return
        if not self._all_higher(numbers) and not self._all_new(numbers):
            raise ValueError("a number is in the index already")
        self._numbers.append(numbers)
        self._vectors.append(vectors)
        self._highest = max(self._highest, int(numbers.max()))

    def remove(self, numbers: FaceNumbers) -> int:
        """Remove faces and return how many were removed. Unknown numbers are ignored."""
        removed = np.isin(self.numbers, numbers)
        count = len(self) - int(np.count_nonzero(removed))
        gaps = np.flatnonzero(removed[:count])
        last = count + np.flatnonzero(~removed[count:])  # as many as there are gaps
        for rows in (self._numbers, self._vectors):
            rows.rows[gaps] = rows.rows[last]
            rows.keep_first(count)
        return len(removed) - count

    def search(self, probes: Embeddings, k: int) -> Neighbours:
        """Find the k nearest faces of each probe. probes: (n, d) float32.

        Raises ValueError if the shape does not fit.
        """
        vectors = check_vectors(probes, self._dimension)
        k = min(k, len(self))
        if k == 0:
            return Neighbours(np.empty((len(vectors), 0), np.int64), np.empty((len(vectors), 0), np.float32))
        distances, rows = faiss.knn(vectors, self._vectors.rows, k)
        return Neighbours(self.numbers[rows], np.clip(distances, 0.0, MAX_SQ_L2))

    def distances(self, probes: Embeddings) -> tuple[FaceNumbers, Distances]:
        """Return the numbers (m,) of all faces, and the distance of each probe to each, (n, m) float32."""
        return self.numbers, squared_l2(check_vectors(probes, self._dimension), self._vectors.rows)

    def _all_higher(self, numbers: FaceNumbers) -> bool:
        """Return whether the numbers ascend and are above all that the index ever had, as the records give them."""
        return bool(numbers[0] > self._highest and (numbers[1:] > numbers[:-1]).all())

    def _all_new(self, numbers: FaceNumbers) -> bool:
        return len(np.unique(numbers)) == len(numbers) and not np.isin(numbers, self.numbers).any()


def check_vectors(embeddings: Embeddings, dimension: int) -> NDArray[np.float32]:
    """Return the embeddings as FAISS needs them. Raises ValueError if they are not (n, dimension).

    FAISS checks this with assert, which `python -O` leaves out.
    """
    if embeddings.ndim != 2 or embeddings.shape[1] != dimension:
        raise ValueError(f"embeddings are (n, {dimension}), not {embeddings.shape}")
    return np.ascontiguousarray(embeddings, np.float32)
