"""The simplest index: NumPy computes every distance."""

import numpy as np

from service.domain.distances import Distances, squared_l2
from service.domain.embedding import Embeddings
from service.gallery.base import FaceNumbers
from service.gallery.indexes.base import HoldsEmbeddings, Neighbours, ReadVectors, read_blocks, read_nothing


class ExactIndex(HoldsEmbeddings):
    """A matrix of embeddings and the numbers of its rows.

    It is slow and simple: tests compare other indexes with it.
    """

    def __init__(self, dimension: int, read: ReadVectors = read_nothing) -> None:
        self._read = read
        self._numbers = np.empty(0, np.int64)
        self._embeddings = np.empty((0, dimension), np.float32)

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def numbers(self) -> FaceNumbers:
        return self._numbers

    def fill(self, numbers: FaceNumbers) -> None:
        """Add stored faces to an empty index, which reads their embeddings. Raises StorageUnavailable."""
        for found, embeddings in read_blocks(self._read, numbers):
            self.add(found, embeddings)

    def add(self, numbers: FaceNumbers, embeddings: Embeddings) -> None:
        """Add faces. numbers: (n,) int64. embeddings: (n, d) float32, unit length.

        Raises ValueError, and adds nothing, if a number occurs twice or the shapes do not fit.
        """
        if embeddings.shape != (len(numbers), self._embeddings.shape[1]):
            raise ValueError(f"{len(numbers)} embeddings of {self._embeddings.shape[1]}, not {embeddings.shape}")
        all_numbers = np.concatenate([self._numbers, numbers])
        if len(np.unique(all_numbers)) != len(all_numbers):
            raise ValueError("a number is in the index already")
        self._numbers = all_numbers
        self._embeddings = np.concatenate([self._embeddings, embeddings], dtype=np.float32)

    def remove(self, numbers: FaceNumbers) -> int:
        """Remove faces and return how many were removed. Unknown numbers are ignored."""
        stays = ~np.isin(self._numbers, numbers)
        self._numbers, self._embeddings = self._numbers[stays], self._embeddings[stays]
        return int(np.count_nonzero(~stays))

    def search(self, probes: Embeddings, k: int) -> Neighbours:
        """Find the k nearest faces of each probe. probes: (n, d) float32.

        Raises ValueError if the shape does not fit.
        """
        numbers, distances = self.distances(probes)
        nearest = np.argsort(distances, axis=1, kind="stable")[:, :k]
        return Neighbours(numbers[nearest], np.take_along_axis(distances, nearest, axis=1))

    def distances(self, probes: Embeddings) -> tuple[FaceNumbers, Distances]:
        """Return the numbers (m,) of all faces, and the distance of each probe to each, (n, m) float32."""
        if probes.ndim != 2 or probes.shape[1] != self._embeddings.shape[1]:
            raise ValueError(f"embeddings are (n, {self._embeddings.shape[1]}), not {probes.shape}")
        return self._numbers, squared_l2(probes, self._embeddings)
