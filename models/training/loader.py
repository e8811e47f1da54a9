"""Batches ahead of the step that takes them: drawn, cut and augmented in threads of their own.

The batch of a step depends on the recipe's seed and the step's number alone, so a resumed run sees what it would have
seen. OpenCV releases the interpreter, and one thread makes many times the views that a step on a CPU takes.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from models.augmentation import Views
from models.training.distributed import ALONE, World
from models.training.objectives.base import Canvases, Rows
from service.domain import Crops

AHEAD = 3
"""Batches that wait, unless more threads than that make them: enough that a slow one is not felt."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """rows: (n,) int64, the faces of the whole batch. crops: (m, h, w, 3) uint8, this process's share of them."""

    crops: Crops
    rows: Rows


@dataclass(frozen=True, slots=True, eq=False)
class Loader:
    """draw: the rows of a batch, of the canvases. world: whose share of them is cut here."""

    canvases: Canvases
    views: Views
    draw: Callable[[np.random.Generator], Rows]
    seed: int
    world: World = ALONE

    def batch(self, step: int) -> Batch:
        """The batch of this step, always the same."""
        rows = self.draw(np.random.default_rng((self.seed, step)))
        mine = [self.canvases[row] for row in self.world.share(rows)]
        return Batch(self.views.draw(mine, np.random.default_rng((self.seed, step, self.world.rank))), rows)

    def batches(self, start: int, steps: int, threads: int = 1) -> Iterator[Batch]:
        """From step `start` up to, not including, `steps`, in order."""
        waiting: deque[Future[Batch]] = deque()
        with ThreadPoolExecutor(threads, "loader") as pool:
            for step in range(start, steps):
                waiting.append(pool.submit(self.batch, step))
                if len(waiting) > max(AHEAD, threads):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
