"""The yardstick: every distance computed, with NumPy alone."""

import numpy as np

from service.distances import squared_l2
from service.domain import Embeddings
from service.galleries.base import Neighbours, Numbers


class ExactIndex:
    """A matrix and its rows' numbers. Slow and obvious: the other indexes are held against it."""

    def __init__(self, dimension: int) -> None:
        self._numbers = np.empty(0, np.int64)
        self._embeddings = np.empty((0, dimension), np.float32)

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def numbers(self) -> Numbers:
        """In the order in which they were added."""
        return self._numbers

    def add(self, numbers: Numbers, embeddings: Embeddings) -> None:
        """numbers: (n,) int64. embeddings: (n, d) float32. Raises ValueError, and nothing is added."""
        if embeddings.shape != (len(numbers), self._embeddings.shape[1]):
            raise ValueError(f"{len(numbers)} embeddings of {self._embeddings.shape[1]}, not {embeddings.shape}")
        together = np.concatenate([self._numbers, numbers])
        if len(np.unique(together)) != len(together):
            raise ValueError("a number is in the index already")
        self._numbers = together
        self._embeddings = np.concatenate([self._embeddings, embeddings], dtype=np.float32)

    def remove(self, numbers: Numbers) -> int:
        """Forgets these; unknown ones are passed over. Returns how many were there."""
        stays = ~np.isin(self._numbers, numbers)
        self._numbers, self._embeddings = self._numbers[stays], self._embeddings[stays]
        return int(np.count_nonzero(~stays))

    def search(self, probes: Embeddings, k: int) -> Neighbours:
        """probes: (n, d) float32. k: at least 1. Raises ValueError where the shape does not fit."""
        if probes.ndim != 2 or probes.shape[1] != self._embeddings.shape[1]:
            raise ValueError(f"embeddings are (n, {self._embeddings.shape[1]}), not {probes.shape}")
        distances = squared_l2(probes, self._embeddings)
        nearest = np.argsort(distances, axis=1, kind="stable")[:, :k]
        return Neighbours(self._numbers[nearest], np.take_along_axis(distances, nearest, axis=1))
