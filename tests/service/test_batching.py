import asyncio
from collections.abc import Awaitable
from contextlib import AbstractAsyncContextManager

import numpy as np
import pytest
from anyio import to_thread
from hypothesis import given, settings
from hypothesis import strategies as st

from service.batching import Batcher
from service.domain import Embeddings
from service.observability.stages import request_stages
from tests.fakes import CountingEmbedder, FailingEmbedder, ForgetfulEmbedder, GatedEmbedder, numbered_crops

pytestmark = pytest.mark.anyio


def batcher(
    embedder: CountingEmbedder, *, workers: int = 1, max_batch: int = 8
) -> AbstractAsyncContextManager[Batcher]:
    return Batcher(embedder.embed, workers=workers, max_batch=max_batch)


async def started(work: Awaitable[Embeddings]) -> asyncio.Task[Embeddings]:
    """As a task that has come to its first wait."""
    task = asyncio.ensure_future(work)
    await asyncio.sleep(0)
    return task


async def busy(batcher: Batcher, embedder: GatedEmbedder, number: int = 0) -> asyncio.Task[Embeddings]:
    """A submission that the embedder is working on until its gate is opened."""
    task = await started(batcher.submit(numbered_crops(number)))
    await to_thread.run_sync(embedder.entered.acquire)
    return task


def numbers(embeddings: Embeddings) -> list[int]:
    return [int(number) for number in embeddings[:, 0]]


async def test_a_lone_crop_never_waits_for_company() -> None:
    embedder = CountingEmbedder()
    async with batcher(embedder, max_batch=64) as queue:
        assert numbers(await queue.submit(numbered_crops(7))) == [7]
    assert embedder.calls == [[7]]


async def test_what_waits_is_taken_together_across_requests() -> None:
    embedder = GatedEmbedder()
    async with batcher(embedder) as queue:
        first = await busy(queue, embedder)
        waiting = [await started(queue.submit(numbered_crops(*these))) for these in ([1], [2, 3], [4])]
        embedder.gate.set()
        assert [numbers(one) for one in await asyncio.gather(first, *waiting)] == [[0], [1], [2, 3], [4]]
    assert embedder.calls == [[0], [1, 2, 3, 4]]


async def test_a_call_takes_no_more_than_the_maximum() -> None:
    embedder = GatedEmbedder()
    async with batcher(embedder, max_batch=4) as queue:
        first = await busy(queue, embedder)
        rest = await started(queue.submit(numbered_crops(*range(1, 11))))
        embedder.gate.set()
        await asyncio.gather(first, rest)
    assert [len(call) for call in embedder.calls] == [1, 4, 4, 2]


async def test_idle_workers_share_what_waits() -> None:
    embedder = GatedEmbedder()
    async with batcher(embedder, workers=2) as queue:
        await asyncio.sleep(0)  # both workers wait at the queue
        task = await started(queue.submit(numbered_crops(1, 2, 3, 4)))
        for _ in range(2):
            await to_thread.run_sync(embedder.entered.acquire)
        embedder.gate.set()
        assert numbers(await task) == [1, 2, 3, 4]
    assert sorted(embedder.calls) == [[1, 2], [3, 4]]


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=12), workers=st.integers(1, 3), max_batch=st.integers(1, 6)
)
def test_every_request_gets_its_own_embeddings_in_its_order(sizes: list[int], workers: int, max_batch: int) -> None:
    ends = np.cumsum(sizes).tolist()
    requests = [list(range(end - size, end)) for size, end in zip(sizes, ends, strict=True)]

    async def answers() -> list[list[int]]:
        async with batcher(CountingEmbedder(), workers=workers, max_batch=max_batch) as queue:
            found = await asyncio.gather(*(queue.submit(numbered_crops(*these)) for these in requests))
        return [numbers(one) for one in found]

    assert asyncio.run(answers()) == requests


@pytest.mark.parametrize(
    ("embedder", "error"), [(FailingEmbedder(), ArithmeticError), (ForgetfulEmbedder(), ValueError)]
)
async def test_a_failed_call_answers_everyone_in_it_and_the_next_goes_on(
    embedder: CountingEmbedder, error: type[Exception]
) -> None:
    async with batcher(embedder) as queue:
        if isinstance(embedder, GatedEmbedder):
            embedder.gate.set()
        failed = await asyncio.gather(
            queue.submit(numbered_crops(12)), queue.submit(numbered_crops(13, 14)), return_exceptions=True
        )
        assert [type(one) for one in failed] == [error, error]
        assert numbers(await queue.submit(numbered_crops(15))) == [15]
    assert embedder.calls == [[12, 13, 14], [15]]


async def test_a_request_of_several_calls_fails_with_the_one_that_failed() -> None:
    embedder = FailingEmbedder()
    embedder.gate.set()
    async with batcher(embedder, max_batch=2) as queue:
        with pytest.raises(ArithmeticError, match="thirteen"):
            await queue.submit(numbered_crops(11, 12, 13, 14, 15))


async def test_work_whose_client_left_is_skipped() -> None:
    embedder = GatedEmbedder()
    async with batcher(embedder) as queue:
        first = await busy(queue, embedder)
        left = await started(queue.submit(numbered_crops(1, 2)))
        stayed = await started(queue.submit(numbered_crops(3)))
        left.cancel()
        await asyncio.gather(left, return_exceptions=True)
        embedder.gate.set()
        await asyncio.gather(first, stayed)
    assert embedder.calls == [[0], [3]]


async def test_a_call_is_not_made_where_all_its_clients_left() -> None:
    embedder = GatedEmbedder()
    async with batcher(embedder) as queue:
        first = await busy(queue, embedder)
        left = await started(queue.submit(numbered_crops(1, 2)))
        left.cancel()
        await asyncio.gather(left, return_exceptions=True)
        embedder.gate.set()
        await first
        assert numbers(await queue.submit(numbered_crops(3))) == [3]
    assert embedder.calls == [[0], [3]]


async def test_a_client_that_leaves_during_its_call_harms_nobody() -> None:
    embedder = GatedEmbedder()
    async with batcher(embedder) as queue:
        left = await busy(queue, embedder)
        left.cancel()
        await asyncio.gather(left, return_exceptions=True)
        embedder.gate.set()
        assert numbers(await queue.submit(numbered_crops(1))) == [1]


async def test_the_end_cancels_what_waits_and_what_is_worked_on() -> None:
    embedder = GatedEmbedder()
    async with batcher(embedder) as queue:
        working = await busy(queue, embedder)
        waiting = await started(queue.submit(numbered_crops(1)))
    ended = await asyncio.gather(working, waiting, return_exceptions=True)
    embedder.gate.set()
    assert [type(one) for one in ended] == [asyncio.CancelledError, asyncio.CancelledError]
    assert embedder.calls == [[0]]


async def test_waiting_and_computing_are_timed_apart() -> None:
    with request_stages() as seconds:
        async with batcher(CountingEmbedder()) as queue:
            await queue.submit(numbered_crops(1, 2))
    assert set(seconds) == {"queue", "embed"}
    assert min(seconds.values()) >= 0.0
