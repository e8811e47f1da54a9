"""The threads of the gallery. Its methods are plain functions that block, and callers run on the event loop."""

import time
from collections.abc import Callable, Coroutine
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import anyio
from anyio import to_thread

from service.domain.waiting import require_waiting_client


class HasThreads(Protocol):
    """An object whose methods run in threads.

    threads: limits how many methods that only read run in parallel.
    changing_threads: the same for methods that change something. They wait for each other, and for a rewrite of the
    database. In threads of their own, they keep no search waiting.
    """

    threads: anyio.CapacityLimiter
    changing_threads: anyio.CapacityLimiter


P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S", bound=HasThreads)


Method = Callable[Concatenate[S, P], T]
AsyncMethod = Callable[Concatenate[S, P], Coroutine[Any, Any, T]]


def in_thread(method: Method[S, P, T]) -> AsyncMethod[S, P, T]:
    """Make a method asynchronous that only reads: it runs in one of the threads of its object.

    It is not begun, and raises Abandoned, if nobody waits for the answer to the request any more.
    """

    @wraps(method)
    async def run(owner: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        def read() -> T:
            require_waiting_client()
            return method(owner, *args, **kwargs)

        return await to_thread.run_sync(read, limiter=owner.threads)

    return run


def in_changing_thread(method: Method[S, P, T]) -> AsyncMethod[S, P, T]:
    """Make a method asynchronous that changes something."""

    @wraps(method)
    async def run(owner: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await to_thread.run_sync(partial(method, owner, *args, **kwargs), limiter=owner.changing_threads)

    return run


def every(interval_s: float, chore: Callable[[], None]) -> Callable[[], None]:
    """Return a chore that does its work only if it was last done some time ago."""
    done_s = time.monotonic()

    def do() -> None:
        nonlocal done_s
        if time.monotonic() - done_s >= interval_s:
            chore()
            done_s = time.monotonic()

    return do
