"""One queue of crops in front of the embedder, shared by all requests.

    embed ──> queue ──> workers ──> embedder, in a thread

A worker takes what is in the queue as soon as it is free. So a single crop never waits for others, and under load the
calls become large. A CPU needs as many workers as it has cores, with small calls. A large call takes no less time a
crop there, and crops of others wait until it ends. A GPU needs large calls and two workers: while the GPU computes one
batch, the other worker prepares the next one.

The key that has had least work of late is next, and within a key its requests take turns. So a request with few faces
does not wait for all faces of another (`round_robin.py`).

The queue never refuses a crop, because the number of faces in a photograph is known only after detection.
`api/admission.py` limits the number of photographs before any work is done.
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
import structlog
from anyio import to_thread

from service.domain.embedding import Embeddings
from service.domain.errors import Abandoned
from service.domain.face import Crops
from service.domain.image import Pixels
from service.domain.waiting import WaitingClient, current_client
from service.observability.metrics import BATCH_CROPS, QUEUED_CROPS
from service.observability.running_calls import CALLS
from service.observability.stages import record_stage
from service.pipeline.round_robin import RoundRobinQueue

_log = structlog.stdlib.get_logger("service.embedder")


@dataclass(slots=True, eq=False)
class _QueuedCrop:
    crop: Pixels
    embedding: asyncio.Future[Embeddings]
    client: WaitingClient | None = field(default_factory=current_client)
    queued_s: float = field(default_factory=perf_counter)
    taken_s: float = 0.0


class Batcher:
    """Embeds crops in batches that all callers share. Use it as an async context manager: the workers run inside.

    embed_batch: the embedder. It is called in a thread.
    workers: how many calls run in parallel.
    max_batch: the most crops in one call.
    """

    def __init__(self, embed_batch: Callable[[Crops], Embeddings], *, workers: int, max_batch: int) -> None:
        self._embed_batch = embed_batch
        self._workers = workers
        self._max_batch = max_batch
        self._idle_workers = 0
        self._queue: RoundRobinQueue[_QueuedCrop] = RoundRobinQueue()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._threads = anyio.CapacityLimiter(self._workers)
        self._tasks = [asyncio.create_task(self._run_worker(), name=f"embedder-{i}") for i in range(self._workers)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        while not self._queue.empty():
            self._queue.get_nowait().embedding.cancel()

    async def embed(self, crops: Crops) -> Embeddings:
        """Embed crops, together with the crops of other callers.

        crops: (n, h, w, 3) uint8, n at least 1.
        Returns (n, d) float32. Raises what the embedder raises.
        """
        loop = asyncio.get_running_loop()
        queued = [_QueuedCrop(crop, loop.create_future()) for crop in crops]
        for item in queued:
            self._queue.put_nowait(item)
        QUEUED_CROPS.set(self._queue.qsize())
        try:
            embeddings = await asyncio.gather(*(item.embedding for item in queued))
        finally:
            for item in queued:
                # If the client left, its crops are still in the queue. The workers skip cancelled ones.
                item.embedding.cancel()
        _record_times(queued)
        return np.stack(embeddings)

    async def _run_worker(self) -> None:
        while True:
            batch = await self._next_batch()
            QUEUED_CROPS.set(self._queue.qsize())
            if batch:
                await self._embed_queued(batch)

    async def _next_batch(self) -> list[_QueuedCrop]:
        """Wait for a crop, then take this worker's share of the queue.

        The share is the queue divided by the idle workers. If one worker took everything, the others would stay idle.
        """
        self._idle_workers += 1
        try:
            batch = [await self._queue.get()]
            share = math.ceil((1 + self._queue.qsize()) / self._idle_workers)
        finally:
            self._idle_workers -= 1
        while len(batch) < min(share, self._max_batch) and not self._queue.empty():
            batch.append(self._queue.get_nowait())
        for item in batch:
            if item.client is not None and not item.client.waits:
                _fail(item.embedding, Abandoned())
        return [item for item in batch if not item.embedding.done()]

    async def _embed_queued(self, batch: list[_QueuedCrop]) -> None:
        """Embed a batch and give every caller its result.

        If the call fails, each crop is embedded alone. So one bad crop fails its own request and no other one.
        """
        BATCH_CROPS.observe(len(batch))
        taken_s = perf_counter()
        for item in batch:
            item.taken_s = taken_s
        try:
            crops = np.stack([item.crop for item in batch])
            with CALLS.running():
                embeddings = await to_thread.run_sync(self._embed_batch, crops, limiter=self._threads)
            results = list(zip(batch, embeddings, strict=True))
        except BaseException as error:
            if len(batch) > 1 and isinstance(error, Exception):
                _log.warning("batch_failed", crops=len(batch), error=type(error).__name__)
                for item in batch:
                    await self._embed_queued([item])
                return
            for item in batch:
                _fail(item.embedding, error)
            if not isinstance(error, Exception):
                raise
        else:
            for item, embedding in results:
                if not item.embedding.done():
                    item.embedding.set_result(embedding)


def _fail(future: asyncio.Future[Embeddings], error: BaseException) -> None:
    if future.done():
        return
    if isinstance(error, Exception):
        future.set_exception(error)
    else:
        future.cancel()


def _record_times(crops: list[_QueuedCrop]) -> None:
    """Record waiting and computing as two stages, once for each call of `embed`."""
    taken_s = max(item.taken_s for item in crops)
    record_stage("queue", taken_s - crops[0].queued_s)
    record_stage("embed", perf_counter() - taken_s)
