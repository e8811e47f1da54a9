"""Searches that wait at the same time go together into one call."""

import asyncio
import threading
from collections.abc import Iterator

import anyio
import numpy as np
import pytest

from service.domain.embedding import Embeddings
from service.domain.errors import Abandoned, StorageUnavailable
from service.domain.waiting import WaitingClient, work_for
from service.gallery.indexes.joint_searches import AT_ONCE, MAX_PROBES, JointSearches

pytestmark = pytest.mark.anyio


class HeldSearch:
    """Each call waits until `let_go` is called. The result of a probe is its first number."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []
        self.may_end = threading.Event()
        self.fails = False

    def __call__(self, question: str, probes: Embeddings) -> tuple[list[float], int]:
        self.calls.append((question, len(probes)))
        self.may_end.wait(10)
        if self.fails:
            raise StorageUnavailable
        return probes[:, 0].tolist(), 7


@pytest.fixture
def search() -> Iterator[HeldSearch]:
    held = HeldSearch()
    yield held
    held.may_end.set()


@pytest.fixture
def joint(search: HeldSearch) -> JointSearches[str, float]:
    return JointSearches(search, anyio.CapacityLimiter(8))


def probes(*numbers: float) -> Embeddings:
    return np.array([[number, 0] for number in numbers], np.float32).reshape(len(numbers), 2)


async def begin(
    joint: JointSearches[str, float], question: str, *numbers: float
) -> asyncio.Task[tuple[list[float], int]]:
    task = asyncio.create_task(joint.run(question, probes(*numbers)))
    await asyncio.sleep(0.02)
    return task


async def hold_calls(joint: JointSearches[str, float], question: str) -> list[asyncio.Task[tuple[list[float], int]]]:
    """Begin as many searches as are made at once. What follows must wait."""
    return [await begin(joint, question, -1) for _ in range(AT_ONCE)]


async def test_a_search_alone_does_not_wait(joint: JointSearches[str, float], search: HeldSearch) -> None:
    search.may_end.set()
    assert await joint.run("a", probes(1, 2)) == ([1, 2], 7)


async def test_searches_that_wait_go_together_and_each_gets_its_own_results(
    joint: JointSearches[str, float], search: HeldSearch
) -> None:
    held = await hold_calls(joint, "a")
    waiting = [
        await begin(joint, "a", 1),
        await begin(joint, "a", 2, 3),
        await begin(joint, "a"),
        await begin(joint, "a", 4),
    ]
    search.may_end.set()
    await asyncio.gather(*held)
    assert await asyncio.gather(*waiting) == [([1], 7), ([2, 3], 7), ([], 7), ([4], 7)]
    assert search.calls == [("a", 1)] * AT_ONCE + [("a", 4)]


async def test_another_question_does_not_wait_and_is_not_mixed(
    joint: JointSearches[str, float], search: HeldSearch
) -> None:
    await hold_calls(joint, "a")
    await begin(joint, "b", 5)
    assert search.calls[-1] == ("b", 1)


async def test_a_call_has_a_limited_number_of_probes(joint: JointSearches[str, float], search: HeldSearch) -> None:
    held = await hold_calls(joint, "a")
    waiting = [await begin(joint, "a", *range(MAX_PROBES - 1)), await begin(joint, "a", 1, 2)]
    search.may_end.set()
    await asyncio.gather(*held, *waiting)
    assert sorted(count for _, count in search.calls[AT_ONCE:]) == [2, MAX_PROBES - 1]


async def test_an_error_reaches_all_who_wait_and_the_next_search_is_made(
    joint: JointSearches[str, float], search: HeldSearch
) -> None:
    held = await hold_calls(joint, "a")
    waiting = [await begin(joint, "a", 1), await begin(joint, "a", 2)]
    search.fails = True
    search.may_end.set()
    for task in [*held, *waiting]:
        with pytest.raises(StorageUnavailable):
            await task
    search.fails = False
    assert await joint.run("a", probes(3)) == ([3], 7)


async def test_a_search_that_nobody_waits_for_is_not_made(joint: JointSearches[str, float], search: HeldSearch) -> None:
    held = await hold_calls(joint, "a")
    client = WaitingClient()
    with work_for(client):
        left = await begin(joint, "a", 1)
    cancelled = await begin(joint, "a", 2)
    client.leave()
    cancelled.cancel()
    search.may_end.set()
    await asyncio.gather(*held)
    with pytest.raises(Abandoned):
        await left
    assert search.calls == [("a", 1)] * AT_ONCE
