"""Make batches in threads, before the steps need them: draw, cut and augment.

The batch of a step depends only on the seed of the recipe and the number of the step. So a run that continues from a
checkpoint gets the same batches as a run without a stop.

Threads can share the work, because OpenCV releases the interpreter lock. On a CPU one thread is enough: it makes crops
many times faster than the network takes them.
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
"""How many batches are made in advance. If there are more threads than this, it is the number of threads.

With three, a slow batch does not delay a step.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """The faces of a step.

    crops: (m, h, w, 3) uint8, the share of this process.
    rows: (n,) int64, the rows of the canvases of the whole batch, of all processes.
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
        # Every process draws the same rows. Each process augments its share with its own random numbers.
        rows = self.draw_rows(random_stream(self.seed, Purpose.BATCH, step))
        share = [self.canvases[row] for row in self.world.share(rows)]
        rng = random_stream(self.seed, Purpose.AUGMENTATION, step, self.world.rank)
        return Batch(self.augmenter.augment(share, rng), rows)

    def batches(self, start: int, end: int, threads: int = 1) -> Iterator[Batch]:
        """Yield the batches of the steps from `start` to `end - 1`, in order.

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
