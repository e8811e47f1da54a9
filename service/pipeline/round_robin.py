"""Who is next, when several requests wait for the same threads or the same embedder.

The waiting items of one request are in the order in which they came. Of several requests, one item of each is taken in
turn. So a request with one photograph waits for at most one photograph of each other request, not for all of them.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Generic, TypeVar, TypeVarTuple, Unpack

import anyio
from anyio import to_thread

from service.observability.stages import current_request

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")


class Turns(Generic[T]):
    """Items that wait, of several requests."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[int, deque[T]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def put(self, item: T) -> None:
        """Add an item of the request that runs now."""
        self._waiting.setdefault(current_request(), deque()).append(item)
        self._count += 1

    def take(self) -> T:
        """Remove the next item, and return it. The next turn is that of another request. There must be an item."""
        request, items = self._waiting.popitem(last=False)
        item = items.popleft()
        if items:
            self._waiting[request] = items
        self._count -= 1
        return item


class FairQueue(asyncio.Queue[T]):
    """A queue that gives the items of several requests in turn. `asyncio.PriorityQueue` replaces these methods too."""

    def _init(self, maxsize: int) -> None:  # noqa: ARG002  # this queue has no limit
        self._queue: Turns[T] = Turns()

    def _put(self, item: T) -> None:
        self._queue.put(item)

    def _get(self) -> T:
        return self._queue.take()


class FairLimiter:
    """Lets a limited number of tasks enter its context. Requests that wait for a place get one in turn."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: Turns[asyncio.Future[None]] = Turns()

    async def __aenter__(self) -> None:
        if self._free:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.put(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # cancelled just when its turn had come
                self._pass_on()
            raise

    async def __aexit__(self, *error: object) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        """Give the place to the next that waits. Those whose request has ended are left out."""
        while self._waiting:
            turn = self._waiting.take()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


class FairThreads:
    """Runs functions in a limited number of threads. Requests that wait for a thread get one in turn."""

    def __init__(self, count: int) -> None:
        self._threads = anyio.CapacityLimiter(count)
        self._turns = FairLimiter(count)

    async def run(self, function: Callable[[Unpack[Arguments]], T], *arguments: *Arguments) -> T:
        """Run the function in a thread. Returns and raises what it does."""
        async with self._turns:
            return await to_thread.run_sync(function, *arguments, limiter=self._threads)
