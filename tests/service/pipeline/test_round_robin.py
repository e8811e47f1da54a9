import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

import pytest
from anyio import to_thread

from service.domain.access import FULL_ACCESS, work_with
from service.domain.waiting import WaitingClient, work_for
from service.pipeline.batching import Batcher
from service.pipeline.round_robin import RoundRobin, RoundRobinQueue, RoundRobinThreads
from tests.support.fakes import BlockingEmbedder, numbered_crops

pytestmark = pytest.mark.anyio


async def start_request(work: Callable[[], Awaitable[object]], key: str | None = None) -> asyncio.Task[object]:
    """Start the work as one request, and let it run until it waits for the first time."""

    async def run() -> object:
        with work_for(WaitingClient()), work_with(replace(FULL_ACCESS, key=key)):
            return await work()

    task = asyncio.ensure_future(run())
    await asyncio.sleep(0)
    return task


class RecordedCalls:
    """Functions that run one after the other. The first waits until `may_return` is set."""

    def __init__(self) -> None:
        self.threads = RoundRobinThreads(1)
        self.order: list[str] = []
        self.may_return = threading.Event()

    def call(self, name: str) -> None:
        self.may_return.wait()
        self.order.append(name)

    async def request(self, *names: str, key: str | None = None) -> asyncio.Task[object]:
        """Start a request that makes these calls at the same time."""
        task = await start_request(lambda: asyncio.gather(*(self.threads.run(self.call, name) for name in names)), key)
        await asyncio.sleep(0)
        return task


async def test_a_small_request_does_not_wait_for_all_photographs_of_a_large_one() -> None:
    calls = RecordedCalls()
    large = await calls.request("a1", "a2", "a3", "a4")
    small = await calls.request("b1")
    calls.may_return.set()
    await asyncio.gather(large, small)
    assert calls.order == ["a1", "a2", "b1", "a3", "a4"]


async def test_requests_get_threads_in_turn() -> None:
    calls = RecordedCalls()
    requests = [await calls.request("a1"), await calls.request("b1", "b2", "b3"), await calls.request("c1", "c2")]
    calls.may_return.set()
    await asyncio.gather(*requests)
    assert calls.order == ["a1", "b1", "c1", "b2", "c2", "b3"]


async def test_a_key_that_has_had_less_work_is_first_and_within_a_key_its_requests_take_turns() -> None:
    calls = RecordedCalls()
    requests = [await calls.request(name, f"{name}'", key="a") for name in ("a1", "a2", "a3")]
    requests.append(await calls.request("b1", key="b"))
    calls.may_return.set()
    await asyncio.gather(*requests)
    assert calls.order == ["a1", "b1", "a1'", "a2", "a3", "a2'", "a3'"]


def put(waiting: RoundRobin[str], key: str, *items: str) -> None:
    with work_with(replace(FULL_ACCESS, key=key)):
        for item in items:
            waiting.put(item)


def test_both_photographs_of_a_silent_key_are_before_those_of_a_busy_key() -> None:
    waiting: RoundRobin[str] = RoundRobin()
    put(waiting, "busy", "a1", "a2", "a3", "a4")
    assert [waiting.take(work=5) for _ in range(2)] == ["a1", "a2"]
    put(waiting, "silent", "b1", "b2")
    assert [waiting.take(work=1) for _ in range(4)] == ["b1", "b2", "a3", "a4"]


def test_keys_with_equal_items_get_the_same_share() -> None:
    waiting: RoundRobin[str] = RoundRobin()
    put(waiting, "a", "a1", "a2", "a3")
    put(waiting, "b", "b1", "b2", "b3")
    assert [waiting.take(work=1) for _ in range(6)] == ["a1", "b1", "a2", "b2", "a3", "b3"]


async def test_a_request_that_has_ended_gets_no_turn_and_keeps_no_thread() -> None:
    calls = RecordedCalls()
    first, left = await calls.request("a1"), await calls.request("b1")
    last = await calls.request("c1")
    left.cancel()
    calls.may_return.set()
    await asyncio.gather(first, last)
    await calls.threads.run(calls.call, "d1")
    assert calls.order == ["a1", "c1", "d1"]


async def test_an_error_in_a_thread_is_raised_and_frees_the_thread() -> None:
    threads = RoundRobinThreads(1)
    with pytest.raises(ZeroDivisionError):
        await threads.run(divmod, 1, 0)
    assert await threads.run(divmod, 7, 2) == (3, 1)


async def test_of_several_requests_one_crop_each_is_embedded_in_turn() -> None:
    embedder = BlockingEmbedder()
    async with Batcher(embedder.embed, workers=1, max_batch=2) as batcher:
        requests = [
            await start_request(partial(batcher.embed, numbered_crops(*numbers)))
            for numbers in ([0], [1, 2, 3, 4], [5])
        ]
        await to_thread.run_sync(embedder.calls_started.acquire)
        embedder.may_return.set()
        await asyncio.gather(*requests)
    assert [number for call in embedder.calls for number in call] == [0, 1, 5, 2, 3, 4]


async def test_a_queue_gives_the_items_of_one_request_in_their_order() -> None:
    queue: RoundRobinQueue[int] = RoundRobinQueue()
    for number in range(5):
        queue.put_nowait(number)
    assert queue.qsize() == 5
    assert [queue.get_nowait() for _ in range(5)] == [0, 1, 2, 3, 4]
    assert queue.empty()
