"""How often a compressed index finds the face that a comparison with all faces finds."""

import math
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from datetime import UTC, datetime

import faiss
import numpy as np
from numpy.typing import NDArray

from service.domain.distances import Distances
from service.domain.embedding import Embeddings
from service.domain.waiting import require_waiting_client
from service.gallery.base import FaceNumbers
from service.gallery.indexes.base import ReadVectors, VectorIndex, read_blocks
from service.gallery.search_values import Agreement, IndexState

SAMPLE_FACES = 1_000
"""With so many, 0.1 % is one face."""
PROBES_AT_ONCE = 16
"""How many probes are searched in one call. Others wait for a change of the index, which waits for this call."""
ROUNDING = 1e-5
"""Two distances that differ by less are equal: FAISS computes many of them at once by a matrix product."""

INTERVAL_S = 3600.0
"""How often an index is compared that was not rewritten."""
REST = 20.0
"""After a comparison, the next one waits this many times as long as it took."""
NO_FACE = -1
"""No face has this number."""

UseIndex = Callable[[], AbstractContextManager[VectorIndex | None]]
"""Holds the index for reading, until the context ends. None if there is none in memory."""


class AgreementMeter:
    """Compares the searches of the index of one collection with exact search.

    last: the last result. None if nothing was measured, or if the index is exact.
    is_rewritten: whether the index was made or rewritten since then.
    """

    def __init__(self, read: ReadVectors, use_index: UseIndex) -> None:
        self._read = read
        self._use_index = use_index
        self._ended_s, self._took_s = -math.inf, 0.0
        self.last: Agreement | None = None
        self.is_rewritten = False

    @property
    def is_due(self) -> bool:
        """Whether it is time to measure again. It takes at most a twentieth of the time."""
        rest_s = REST * self._took_s if self.is_rewritten else INTERVAL_S
        return time.monotonic() >= self._ended_s + rest_s

    def begin_anew(self) -> None:
        """Forget the last result: the index is another one now."""
        self.last, self.is_rewritten = None, True

    def state(self, index: VectorIndex) -> IndexState:
        """Describe the index of the collection."""
        return IndexState(index.is_exact, None if index.is_exact else self.last)

    def measure(self) -> None:
        """Compare a sample of the faces of the collection. Reads all stored embeddings, some at a time.

        Searches and changes go on meanwhile. A face that is deleted meanwhile does not count.
        Raises StorageUnavailable, or Abandoned if the work is to end.
        """
        started_s, was_rewritten, self.is_rewritten = time.monotonic(), self.is_rewritten, False
        try:
            self._measure()
        except BaseException:
            self.is_rewritten = was_rewritten
            raise
        finally:
            self._ended_s = time.monotonic()
            self._took_s = self._ended_s - started_s

    def _measure(self) -> None:
        faiss.omp_set_num_threads(1)  # of this thread
        numbers = self._numbers()
        drawn, probes = self._draw(numbers)
        if not len(drawn):
            self.last = None
            return
        exact, distances = _nearest_others(drawn, probes, read_blocks(self._read, numbers))
        found, found_distances = self._search(drawn, probes)
        remaining = self._numbers()
        counts = np.isin(drawn, remaining) & np.isin(exact, remaining)
        is_found = (found == exact) | (found_distances <= distances + ROUNDING)
        if counts.any():
            self.last = Agreement(int(counts.sum()), int((is_found & counts).sum()), datetime.now(UTC))

    def _numbers(self) -> FaceNumbers:
        """Return the numbers of all faces, ascending. There are none if the index is exact."""
        with self._use_index() as index:
            return np.empty(0, np.int64) if index is None or index.is_exact else np.sort(index.numbers)

    def _draw(self, numbers: FaceNumbers) -> tuple[FaceNumbers, Embeddings]:
        """Return random faces, and their embeddings, (n, d) float32."""
        random = np.random.default_rng()
        return self._read(np.sort(random.choice(numbers, min(len(numbers), SAMPLE_FACES), replace=False)))

    def _search(self, drawn: FaceNumbers, probes: Embeddings) -> tuple[FaceNumbers, Distances]:
        """Return the nearest other face that the index finds for each probe, and the distance to it."""
        numbers, distances = np.full(len(drawn), NO_FACE), np.full(len(drawn), np.inf, np.float32)
        for start in range(0, len(drawn), PROBES_AT_ONCE):
            require_waiting_client()
            part = slice(start, start + PROBES_AT_ONCE)
            with self._use_index() as index:
                if index is not None:
                    found = index.search(probes[part], 2)
                    numbers[part], distances[part] = _nearest_other(drawn[part], found.numbers, found.distances)
        return numbers, distances


def _nearest_others(
    drawn: FaceNumbers, probes: Embeddings, blocks: Iterable[tuple[FaceNumbers, Embeddings]]
) -> tuple[FaceNumbers, Distances]:
    """Return the nearest other face of each probe by exact search, and the distance to it."""
    nearest, smallest = np.full(len(drawn), NO_FACE), np.full(len(drawn), np.inf, np.float32)
    for numbers, embeddings in blocks:
        distances, rows = faiss.knn(probes, embeddings, min(2, len(embeddings)))
        others, distances = _nearest_other(drawn, numbers[rows], distances)
        nearest = np.where(distances < smallest, others, nearest)
        smallest = np.minimum(smallest, distances)
    return nearest, smallest


def _nearest_other(
    drawn: FaceNumbers, numbers: NDArray[np.int64], distances: Distances
) -> tuple[FaceNumbers, Distances]:
    """Return the nearest face of each row that is not the drawn face itself. numbers, distances: (n, 1) or (n, 2)."""
    others = np.where(numbers == drawn[:, np.newaxis], np.inf, distances)
    nearest = others.argmin(axis=1)[:, np.newaxis]
    return np.take_along_axis(numbers, nearest, 1)[:, 0], np.take_along_axis(others, nearest, 1)[:, 0]
