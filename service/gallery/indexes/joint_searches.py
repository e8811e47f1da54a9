"""Searches that wait at the same time go together into one call."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Generic, TypeVar

import anyio
import numpy as np
from anyio import to_thread

from service.domain.embedding import Embeddings
from service.domain.errors import Abandoned
from service.domain.waiting import WaitingClient, current_client

AT_ONCE = 2
"""How many calls for one question run in parallel. While they run, what arrives waits, and then goes together."""

MAX_PROBES = 64
"""The most probes in one call, unless one search has more. So no search waits long for those of others."""

Q = TypeVar("Q")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, eq=False)
class _WaitingSearch(Generic[R]):
    probes: Embeddings
    found: asyncio.Future[tuple[list[R], int]]
    client: WaitingClient | None


class JointSearches(Generic[Q, R]):
    """Searches that wait at the same time go together into one call, if they ask the same question.

    One call for many probes reads the records once, and compares many probes at once. A search never waits for company.

    search: is called in a thread with the question and probes (n, d) float32. Returns n results, and how many faces it
    searched. An error of it is that of every search in the call.
    threads: limits the calls of all questions.
    """

    def __init__(self, search: Callable[[Q, Embeddings], tuple[list[R], int]], threads: anyio.CapacityLimiter) -> None:
        self._search = search
        self._threads = threads
        self._waiting: dict[Q, deque[_WaitingSearch[R]]] = {}
        self._calls: dict[Q, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, question: Q, probes: Embeddings) -> tuple[list[R], int]:
        """Return the result of each probe, and how many faces were searched. Raises what the search raises.

        The call has no access of its own, so the caller checks that the request may ask this question.
        """
        search: _WaitingSearch[R] = _WaitingSearch(probes, asyncio.get_running_loop().create_future(), current_client())
        self._waiting.setdefault(question, deque()).append(search)
        if self._calls.get(question, 0) < AT_ONCE:
            self._calls[question] = self._calls.get(question, 0) + 1
            # An empty context: the call works for several requests, and not for the one that began it.
            task = asyncio.create_task(self._call_while_waiting(question), context=Context())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await search.found

    async def _call_while_waiting(self, question: Q) -> None:
        try:
            while searches := self._take(question):
                await self._call(question, searches)
        finally:
            self._calls[question] -= 1
            if not self._calls[question]:
                del self._calls[question]

    def _take(self, question: Q) -> list[_WaitingSearch[R]]:
        """Take the searches of the next call. Those that nobody waits for are left out."""
        waiting, taken, probes = self._waiting.get(question, deque()), list[_WaitingSearch[R]](), 0
        while waiting and (not taken or probes + len(waiting[0].probes) <= MAX_PROBES):
            search = waiting.popleft()
            if search.found.done():  # its task was cancelled
                continue
            if search.client is not None and not search.client.waits:
                search.found.set_exception(Abandoned())
            else:
                taken.append(search)
                probes += len(search.probes)
        if not waiting:
            self._waiting.pop(question, None)
        return taken

    async def _call(self, question: Q, searches: Sequence[_WaitingSearch[R]]) -> None:
        try:
            probes = np.concatenate([search.probes for search in searches])
            results, searched = await to_thread.run_sync(self._search, question, probes, limiter=self._threads)
        except Exception as error:  # noqa: BLE001  # whatever it is, those who wait must get it
            for search in searches:
                if not search.found.done():
                    search.found.set_exception(error)
            return
        start = 0
        for search in searches:
            if not search.found.done():
                search.found.set_result((results[start : start + len(search.probes)], searched))
            start += len(search.probes)
