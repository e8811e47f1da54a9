"""Many requests, one embedder: what waits is taken together, and a lone crop never waits for company.

    submit ──> queue ──> worker ──> embedder, in a thread
               one       as many as calls pay side by side: one on a GPU, the number of cores on a CPU

Both are the same batcher with two numbers. A worker takes what waits the moment it is free: its share among the idle
workers, at most `max_batch`. The queue never refuses: how many faces a photograph holds is known only after detection,
so the door (`api/door.py`) counts images before any work is done on them.
"""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from types import TracebackType
from typing import Self

import anyio
import numpy as np
from anyio import to_thread

from service.domain import Crops, Embeddings, Pixels
from service.observability.metrics import BATCH_CROPS, QUEUED_CROPS
from service.observability.stages import record


@dataclass(slots=True, eq=False)
class _Waiting:
    crop: Pixels
    embedding: asyncio.Future[Embeddings]
    submitted_s: float = field(default_factory=perf_counter)
    taken_s: float = 0.0


class Batcher:
    """One queue to the embedder. Use as an async context manager; the workers live inside it."""

    def __init__(self, embed: Callable[[Crops], Embeddings], *, workers: int, max_batch: int) -> None:
        self._embed = embed
        self._workers = workers
        self._max_batch = max_batch
        self._idle = 0
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._threads = anyio.CapacityLimiter(self._workers)
        self._tasks = [asyncio.create_task(self._work(), name=f"embedder-{i}") for i in range(self._workers)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        while not self._queue.empty():
            self._queue.get_nowait().embedding.cancel()

    async def submit(self, crops: Crops) -> Embeddings:
        """Embeds the crops, together with whatever else waits.

        crops: (n, h, w, 3) uint8, n at least 1. Returns (n, d) float32. Raises what the embedder raises.
        """
        loop = asyncio.get_running_loop()
        waiting = [_Waiting(crop, loop.create_future()) for crop in crops]
        for item in waiting:
            self._queue.put_nowait(item)
        QUEUED_CROPS.set(self._queue.qsize())
        try:
            embeddings = await asyncio.gather(*(item.embedding for item in waiting))
        finally:
            for item in waiting:
                item.embedding.cancel()  # work whose client left is skipped
        _record(waiting)
        return np.stack(embeddings)

    async def _work(self) -> None:
        while True:
            batch = await self._take()
            QUEUED_CROPS.set(self._queue.qsize())
            if batch:
                await self._answer(batch)

    async def _take(self) -> list[_Waiting]:
        self._idle += 1
        try:
            batch = [await self._queue.get()]
            share = math.ceil((1 + self._queue.qsize()) / self._idle)
        finally:
            self._idle -= 1
        while len(batch) < min(share, self._max_batch) and not self._queue.empty():
            batch.append(self._queue.get_nowait())
        return [item for item in batch if not item.embedding.done()]

    async def _answer(self, batch: list[_Waiting]) -> None:
        BATCH_CROPS.observe(len(batch))
        taken_s = perf_counter()
        for item in batch:
            item.taken_s = taken_s
        try:
            embeddings = await to_thread.run_sync(
                self._embed, np.stack([item.crop for item in batch]), limiter=self._threads
            )
            answers = list(zip(batch, embeddings, strict=True))
        except BaseException as error:
            for item in batch:
                _fail(item.embedding, error)
            if not isinstance(error, Exception):
                raise
        else:
            for item, embedding in answers:
                if not item.embedding.done():
                    item.embedding.set_result(embedding)


def _fail(future: asyncio.Future[Embeddings], error: BaseException) -> None:
    if future.done():
        return
    if isinstance(error, Exception):
        future.set_exception(error)
    else:
        future.cancel()


def _record(waiting: list[_Waiting]) -> None:
    """Waiting and computing are timed apart, once a submission."""
    taken_s = max(item.taken_s for item in waiting)
    record("queue", taken_s - waiting[0].submitted_s)
    record("embed", perf_counter() - taken_s)
