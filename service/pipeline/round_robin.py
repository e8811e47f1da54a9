"""Which request is next, when several wait for the same threads or the same embedder.

Of several access keys, the one that has had least work of late is next (`domain/recent_work.py`). So a key that asks
for little does not wait behind the requests of a key that asks for much, only for the work that has begun. Two keys
that both ask for much get the same share.

Within a key it is round robin: of several requests, one item of each is taken after the other. So a request with one
photograph waits for at most one photograph of each other request of its key, not for all of them. The items of one
request are in the order in which they came.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Generic, TypeVar, TypeVarTuple, Unpack

import anyio
from anyio import to_thread

from service.domain.access import current_access
from service.domain.recent_work import RecentWork
from service.domain.waiting import WaitingClient, current_client, require_waiting_client
from service.observability.running_calls import CALLS

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")


class RoundRobin(Generic[T]):
    """Items that wait, of several requests of several keys.

    Requests without a key count as those of one more key. Items outside a request count as those of one more request.
    """

    def __init__(self) -> None:
        self._waiting: dict[str | None, OrderedDict[WaitingClient | None, deque[T]]] = {}
        self._work = RecentWork()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def put(self, item: T) -> None:
        """Add an item of the request that runs now."""
        requests = self._waiting.setdefault(current_access().key, OrderedDict())
        requests.setdefault(current_client(), deque()).append(item)
        self._count += 1

    def take(self, work: float = 0.0) -> T:
        """Remove the next item, and return it. There must be one. work: is counted for its key."""
        key = min(self._waiting, key=self._work.of)  # of equals, the one that has waited longest
        requests = self._waiting.pop(key)
        client, items = requests.popitem(last=False)
        item = items.popleft()
        if items:
            requests[client] = items
        if requests:
            self._waiting[key] = requests
        self._count -= 1
        self._work.add(key, work)
        return item

    def count_work(self, work: float) -> None:
        """Count work for the key of the request that runs now."""
        self._work.add(current_access().key, work)


class RoundRobinQueue(asyncio.Queue[T]):
    """A queue whose items are equal work. `asyncio.PriorityQueue` replaces the same methods."""

    def _init(self, maxsize: int) -> None:  # noqa: ARG002  # this queue has no limit
        self._queue: RoundRobin[T] = RoundRobin()

    def _put(self, item: T) -> None:
        self._queue.put(item)

    def _get(self) -> T:
        return self._queue.take(work=1)


class RoundRobinLimiter:
    """Lets a limited number of tasks work at a time. The time in which they do is counted as work of their keys."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: RoundRobin[asyncio.Future[None]] = RoundRobin()

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for a place, and hold it until the end of the context."""
        await self._wait()
        start_s = monotonic()
        try:
            yield
        finally:
            self._waiting.count_work(monotonic() - start_s)
            self._pass_on()

    async def _wait(self) -> None:
        if self._free:
            self._free -= 1
            return
        place = asyncio.get_running_loop().create_future()
        self._waiting.put(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():  # cancelled just when its place had come
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        """Give the place to the next that waits. Those whose request has ended are left out."""
        while self._waiting:
            place = self._waiting.take()
            if not place.done():
                place.set_result(None)
                return
        self._free += 1


class RoundRobinThreads:
    """Runs functions in a limited number of threads."""

    def __init__(self, count: int) -> None:
        self._threads = anyio.CapacityLimiter(count)
        self._places = RoundRobinLimiter(count)

    async def run(self, function: Callable[[Unpack[Arguments]], T], *arguments: *Arguments) -> T:
        """Run the function in a thread. Returns and raises what it does. Raises Abandoned if nobody waits any more."""
        async with self._places.place():
            require_waiting_client()
            with CALLS.running():
                return await to_thread.run_sync(function, *arguments, limiter=self._threads)


class NoThreads:
    """Runs functions at once, on the event loop. It is for work that takes less time than a hand-over to a thread."""

    async def run(self, function: Callable[[Unpack[Arguments]], T], *arguments: *Arguments) -> T:
        """Run the function. Returns and raises what it does."""
        return function(*arguments)
