"""Which request is next, when several wait for the same threads or the same embedder (round robin).

The waiting items of one request are in the order in which they came. Of several requests, one item of each is taken
after the other. So a request with one photograph waits for at most one photograph of each other request, not for all of
them. Of several access keys, one item of each is taken after the other too. So a key with one request waits for at most
one photograph of each other key, whatever the number of their requests.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Generic, TypeVar, TypeVarTuple, Unpack

import anyio
from anyio import to_thread

from service.domain.access import current_access
from service.domain.waiting import WaitingClient, current_client, require_waiting_client

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")


class RoundRobin(Generic[T]):
    """Items that wait, of several requests of several keys.

    Requests without a key count as those of one more key. Items outside a request count as those of one more request.
    """

    def __init__(self) -> None:
        self._waiting: OrderedDict[str | None, OrderedDict[WaitingClient | None, deque[T]]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def put(self, item: T) -> None:
        """Add an item of the request that runs now."""
        requests = self._waiting.setdefault(current_access().key, OrderedDict())
        requests.setdefault(current_client(), deque()).append(item)
        self._count += 1

    def take(self) -> T:
        """Remove the next item, and return it. The next one is of another key or request. There must be an item."""
        key, requests = self._waiting.popitem(last=False)
        client, items = requests.popitem(last=False)
        item = items.popleft()
        if items:
            requests[client] = items
        if requests:
            self._waiting[key] = requests
        self._count -= 1
        return item


class RoundRobinQueue(asyncio.Queue[T]):
    """A queue that serves requests round robin. `asyncio.PriorityQueue` replaces the same methods."""

    def _init(self, maxsize: int) -> None:  # noqa: ARG002  # this queue has no limit
        self._queue: RoundRobin[T] = RoundRobin()

    def _put(self, item: T) -> None:
        self._queue.put(item)

    def _get(self) -> T:
        return self._queue.take()


class RoundRobinLimiter:
    """Lets a limited number of tasks enter its context. Requests that wait are served round robin."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: RoundRobin[asyncio.Future[None]] = RoundRobin()

    async def __aenter__(self) -> None:
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

    async def __aexit__(self, *error: object) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        """Give the place to the next that waits. Those whose request has ended are left out."""
        while self._waiting:
            place = self._waiting.take()
            if not place.done():
                place.set_result(None)
                return
        self._free += 1


class RoundRobinThreads:
    """Runs functions in a limited number of threads. Requests that wait are served round robin."""

    def __init__(self, count: int) -> None:
        self._threads = anyio.CapacityLimiter(count)
        self._places = RoundRobinLimiter(count)

    async def run(self, function: Callable[[Unpack[Arguments]], T], *arguments: *Arguments) -> T:
        """Run the function in a thread. Returns and raises what it does. Raises Abandoned if nobody waits any more."""
        async with self._places:
            require_waiting_client()
            return await to_thread.run_sync(function, *arguments, limiter=self._threads)
