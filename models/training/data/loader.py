"""Make batches in threads, ahead of the steps that take them: draw, cut and augment.

The batch of a step depends on the seed of the recipe and the number of the step only. So a run that continues from a
checkpoint gets the batches that it would have had.

Threads can share the work, because OpenCV releases the interpreter lock. A single thread makes many times the crops
that a step on a CPU takes.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from models.training.data.augmentation import Augmenter
from models.training.data.canvases import Canvases, Rows
from models.training.distributed import SINGLE_PROCESS, World
from models.training.random_streams import Purpose, random_stream
from service.domain.face import Crops

BATCHES_AHEAD = 3
"""How many batches are prepared ahead, or as many as there are threads if that is more.

With three, a slow batch does not delay a step.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """The faces of a step.

    crops: (m, h, w, 3) uint8, this process's share of the batch.
    rows: (n,) int64, the canvases of the whole batch, of all processes.
    """

    crops: Crops
    rows: Rows


@dataclass(frozen=True, slots=True, eq=False)
class BatchLoader:
    """Makes the batches of a run.

    draw_rows: draws the rows of a batch, (n,) int64, of `canvases`.
    world: the processes of the run. This loader makes the crops of its own process.
    """

    canvases: Canvases
    augmenter: Augmenter
    draw_rows: Callable[[np.random.Generator], Rows]
    seed: int
    world: World = SINGLE_PROCESS

    def make_batch(self, step: int) -> Batch:
        """Return the batch of a step. It is the same in every call."""
        # Every process draws the same rows, and augments its share with random numbers of its own.
        rows = self.draw_rows(random_stream(self.seed, Purpose.BATCH, step))
        share = [self.canvases[row] for row in self.world.share(rows)]
        rng = random_stream(self.seed, Purpose.AUGMENTATION, step, self.world.rank)
        return Batch(self.augmenter.augment(share, rng), rows)

    def batches(self, start: int, end: int, threads: int = 1) -> Iterator[Batch]:
        """Yield the batches of the steps from `start` to `end`, without `end`, in order.

        threads: how many threads make batches.
        """
        started: deque[Future[Batch]] = deque()
        with ThreadPoolExecutor(threads, "loader") as pool:
            for step in range(start, end):
                started.append(pool.submit(self.make_batch, step))
                if len(started) > max(BATCHES_AHEAD, threads):
                    yield started.popleft().result()
            while started:
                yield started.popleft().result()
