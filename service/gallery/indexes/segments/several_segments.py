"""The search of several segments, by several threads, and the nearest faces of all."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial

import faiss
import numpy as np

from service.domain.distances import MAX_SQ_L2
from service.domain.embedding import Embeddings
from service.gallery.indexes.base import Neighbours
from service.gallery.indexes.segments.segment import Segment
from service.observability.process_limits import cpu_count

REFINED = 1_000
"""How many faces of all segments are found by their 4-bit codes, at least. The 8-bit codes then choose among them. Of
2,000 strangers, the nearest of a million faces was among 500 for 99.85 %, and among 1,000 for 99.95 %."""
HELPERS = max(1, min(cpu_count() - 1, 3))
"""How many threads search segments beside the thread that asks. FAISS does not hold the interpreter (the GIL)."""
SEARCH_THREADS = ThreadPoolExecutor(HELPERS, "segments", initializer=lambda: faiss.omp_set_num_threads(1))
Search = Callable[[], Neighbours]


def search_segments(segments: Sequence[Segment], probes: Embeddings, k: int) -> Neighbours:
    """Find about the k nearest faces of each probe, with about their distances. No segment is empty."""
    searches = _searches(segments, probes, k)
    # If there are several probes, other requests wait for the cores too.
    found = _search_side_by_side(searches) if len(probes) == 1 else [search() for search in searches]
    return nearest_of(found, k)


def nearest_of(found: Sequence[Neighbours], k: int) -> Neighbours:
    """Return the k nearest of all faces that were found."""
    numbers = np.concatenate([part.numbers for part in found], axis=1)
    distances = np.concatenate([part.distances for part in found], axis=1)
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return Neighbours(
        np.take_along_axis(numbers, nearest, axis=1),
        np.clip(np.take_along_axis(distances, nearest, axis=1), 0.0, MAX_SQ_L2),
    )


def _searches(segments: Sequence[Segment], probes: Embeddings, k: int) -> list[Search]:
    """Return the search of each segment, by its codes. The search that takes longest is first."""
    refined_share = REFINED / sum(map(len, segments))
    return [
        partial(segment.search, probes, min(k, len(segment)), int(refined_share * len(segment)))
        for segment in sorted(segments, key=len, reverse=True)
    ]


def _search_side_by_side(searches: Sequence[Search]) -> list[Neighbours]:
    """Search in several threads, one of which is this one. A thread that is free takes the next search.

    At the end, also after an error, no search goes on: an index may then be changed.
    """
    waiting = deque(searches)
    helpers = [SEARCH_THREADS.submit(_search_all, waiting) for _ in range(min(HELPERS, len(searches) - 1))]
    try:
        found = _search_all(waiting)
    finally:
        waiting.clear()  # after an error, no further search begins
        begun = [helper for helper in helpers if not helper.cancel()]
        wait(begun)
    return found + [neighbours for helper in begun for neighbours in helper.result()]


def _search_all(waiting: deque[Search]) -> list[Neighbours]:
    """Search until no search waits. Other threads take some of them."""
    found: list[Neighbours] = []
    while True:
        try:
            search = waiting.popleft()
        except IndexError:
            return found
        found.append(search())
