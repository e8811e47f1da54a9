import asyncio
from collections.abc import Awaitable
from contextlib import AbstractAsyncContextManager

import numpy as np
import pytest
from anyio import to_thread
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.embedding import Embeddings
from service.domain.errors import Abandoned
from service.domain.waiting import WaitingClient, work_for
from service.observability.stages import request_stages
from service.pipeline.batching import Batcher
from tests.support.fakes import BlockingEmbedder, CountingEmbedder, FailingEmbedder, IncompleteEmbedder, numbered_crops

pytestmark = pytest.mark.anyio


def open_batcher(
    embedder: CountingEmbedder, *, workers: int = 1, max_batch: int = 8
) -> AbstractAsyncContextManager[Batcher]:
    return Batcher(embedder.embed, workers=workers, max_batch=max_batch)


async def start_task(work: Awaitable[Embeddings]) -> asyncio.Task[Embeddings]:
    """Start a task, and let it run until it waits for the first time."""
    task = asyncio.ensure_future(work)
    await asyncio.sleep(0)
    return task


async def start_blocked_call(batcher: Batcher, embedder: BlockingEmbedder, number: int = 0) -> asyncio.Task[Embeddings]:
    """Submit a crop, and wait until its call has started. The call ends once `may_return` is set."""
    task = await start_task(batcher.embed(numbered_crops(number)))
    await to_thread.run_sync(embedder.calls_started.acquire)
    return task


def crop_numbers(embeddings: Embeddings) -> list[int]:
    return [int(number) for number in embeddings[:, 0]]


async def test_a_single_crop_does_not_wait_for_other_crops() -> None:
    embedder = CountingEmbedder()
    async with open_batcher(embedder, max_batch=64) as batcher:
        assert crop_numbers(await batcher.embed(numbered_crops(7))) == [7]
    assert embedder.calls == [[7]]


async def test_waiting_crops_of_several_requests_are_embedded_in_one_call() -> None:
    embedder = BlockingEmbedder()
    async with open_batcher(embedder) as batcher:
        first = await start_blocked_call(batcher, embedder)
        waiting = [await start_task(batcher.embed(numbered_crops(*request))) for request in ([1], [2, 3], [4])]
        embedder.may_return.set()
        assert [crop_numbers(embeddings) for embeddings in await asyncio.gather(first, *waiting)] == [
            [0],
            [1],
            [2, 3],
            [4],
        ]
    assert embedder.calls == [[0], [1, 2, 3, 4]]


async def test_a_call_has_at_most_max_batch_crops() -> None:
    embedder = BlockingEmbedder()
    async with open_batcher(embedder, max_batch=4) as batcher:
        first = await start_blocked_call(batcher, embedder)
        others = await start_task(batcher.embed(numbered_crops(*range(1, 11))))
        embedder.may_return.set()
        await asyncio.gather(first, others)
    assert [len(call) for call in embedder.calls] == [1, 4, 4, 2]


async def test_idle_workers_share_the_waiting_crops() -> None:
    embedder = BlockingEmbedder()
    async with open_batcher(embedder, workers=2) as batcher:
        await asyncio.sleep(0)  # both workers now wait for a crop
        task = await start_task(batcher.embed(numbered_crops(1, 2, 3, 4)))
        for _ in range(2):
            await to_thread.run_sync(embedder.calls_started.acquire)
        embedder.may_return.set()
        assert crop_numbers(await task) == [1, 2, 3, 4]
    assert sorted(embedder.calls) == [[1, 2], [3, 4]]


async def test_64_waiting_crops_are_embedded_in_one_call_in_their_order() -> None:
    embedder = BlockingEmbedder()
    async with open_batcher(embedder, max_batch=64) as batcher:
        first = await start_blocked_call(batcher, embedder)
        numbers = list(range(1, 65))
        waiting = await start_task(batcher.embed(numbered_crops(*numbers)))
        embedder.may_return.set()
        assert crop_numbers(await waiting) == numbers
        await first
    assert embedder.calls == [[0], numbers]


async def test_full_batches_of_several_workers_run_at_once_and_keep_their_order() -> None:
    """As on a GPU: two workers, and each takes up to 64 crops while the other one waits for its call."""
    embedder = BlockingEmbedder()
    async with open_batcher(embedder, workers=2, max_batch=64) as batcher:
        lone = [await start_blocked_call(batcher, embedder, number) for number in (200, 201)]
        requests = [list(range(start, start + 32)) for start in range(0, 160, 32)]
        waiting = [await start_task(batcher.embed(numbered_crops(*request))) for request in requests]
        embedder.may_return.set()
        assert [crop_numbers(embeddings) for embeddings in await asyncio.gather(*waiting)] == requests
        await asyncio.gather(*lone)
    assert embedder.calls[:2] == [[200], [201]]
    assert sorted(len(call) for call in embedder.calls[2:]) == [32, 64, 64]
    assert sorted(number for call in embedder.calls[2:] for number in call) == list(range(160))


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=12), workers=st.integers(1, 3), max_batch=st.integers(1, 6)
)
def test_every_request_gets_its_own_embeddings_in_order(sizes: list[int], workers: int, max_batch: int) -> None:
    ends = np.cumsum(sizes).tolist()
    requests = [list(range(end - size, end)) for size, end in zip(sizes, ends, strict=True)]

    async def embed_all() -> list[list[int]]:
        async with open_batcher(CountingEmbedder(), workers=workers, max_batch=max_batch) as batcher:
            results = await asyncio.gather(*(batcher.embed(numbered_crops(*request)) for request in requests))
        return [crop_numbers(embeddings) for embeddings in results]

    assert asyncio.run(embed_all()) == requests


@pytest.mark.parametrize(
    ("embedder", "error"), [(FailingEmbedder(), ArithmeticError), (IncompleteEmbedder(), ValueError)]
)
async def test_a_bad_crop_fails_its_own_request_and_no_other_one_of_the_batch(
    embedder: CountingEmbedder, error: type[Exception]
) -> None:
    async with open_batcher(embedder) as batcher:
        if isinstance(embedder, BlockingEmbedder):
            embedder.may_return.set()
        good, bad = await asyncio.gather(
            batcher.embed(numbered_crops(12)), batcher.embed(numbered_crops(13, 14)), return_exceptions=True
        )
        assert not isinstance(good, BaseException)
        assert crop_numbers(good) == [12]
        assert type(bad) is error
        assert crop_numbers(await batcher.embed(numbered_crops(15))) == [15]
    assert embedder.calls == [[12, 13, 14], [12], [13], [14], [15]]


async def test_crops_for_which_nobody_waits_are_not_embedded() -> None:
    embedder, client = BlockingEmbedder(), WaitingClient()
    async with open_batcher(embedder) as batcher:
        first = await start_blocked_call(batcher, embedder)
        with work_for(client):
            left = await start_task(batcher.embed(numbered_crops(1, 2)))
        waiting = await start_task(batcher.embed(numbered_crops(3)))
        client.leave()
        embedder.may_return.set()
        await asyncio.gather(first, waiting)
        with pytest.raises(Abandoned):
            await left
    assert embedder.calls == [[0], [3]]


async def test_a_request_of_several_calls_fails_if_one_call_fails() -> None:
    embedder = FailingEmbedder()
    embedder.may_return.set()
    async with open_batcher(embedder, max_batch=2) as batcher:
        with pytest.raises(ArithmeticError, match="thirteen"):
            await batcher.embed(numbered_crops(11, 12, 13, 14, 15))


async def test_the_crops_of_a_cancelled_request_are_skipped() -> None:
    embedder = BlockingEmbedder()
    async with open_batcher(embedder) as batcher:
        first = await start_blocked_call(batcher, embedder)
        cancelled = await start_task(batcher.embed(numbered_crops(1, 2)))
        waiting = await start_task(batcher.embed(numbered_crops(3)))
        cancelled.cancel()
        await asyncio.gather(cancelled, return_exceptions=True)
        embedder.may_return.set()
        await asyncio.gather(first, waiting)
    assert embedder.calls == [[0], [3]]


async def test_no_call_is_made_if_all_its_requests_are_cancelled() -> None:
    embedder = BlockingEmbedder()
    async with open_batcher(embedder) as batcher:
        first = await start_blocked_call(batcher, embedder)
        cancelled = await start_task(batcher.embed(numbered_crops(1, 2)))
        cancelled.cancel()
        await asyncio.gather(cancelled, return_exceptions=True)
        embedder.may_return.set()
        await first
        assert crop_numbers(await batcher.embed(numbered_crops(3))) == [3]
    assert embedder.calls == [[0], [3]]


async def test_a_request_that_is_cancelled_during_its_call_does_not_affect_later_requests() -> None:
    embedder = BlockingEmbedder()
    async with open_batcher(embedder) as batcher:
        cancelled = await start_blocked_call(batcher, embedder)
        cancelled.cancel()
        await asyncio.gather(cancelled, return_exceptions=True)
        embedder.may_return.set()
        assert crop_numbers(await batcher.embed(numbered_crops(1))) == [1]


async def test_the_end_cancels_waiting_and_running_requests() -> None:
    embedder = BlockingEmbedder()
    async with open_batcher(embedder) as batcher:
        running = await start_blocked_call(batcher, embedder)
        waiting = await start_task(batcher.embed(numbered_crops(1)))
    outcomes = await asyncio.gather(running, waiting, return_exceptions=True)
    embedder.may_return.set()
    assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError, asyncio.CancelledError]
    assert embedder.calls == [[0]]


async def test_waiting_and_computing_are_separate_stages() -> None:
    with request_stages() as seconds:
        async with open_batcher(CountingEmbedder()) as batcher:
            await batcher.embed(numbered_crops(1, 2))
    assert set(seconds) == {"queue", "embed"}
    assert min(seconds.values()) >= 0.0
