"""The threads of the gallery. Its methods are plain functions that block, and callers run on the event loop."""

from collections.abc import Callable, Coroutine
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import anyio
from anyio import to_thread


class HasThreads(Protocol):
    """An object whose methods run in threads. threads: limits how many run in parallel."""

    threads: anyio.CapacityLimiter


P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S", bound=HasThreads)


def in_thread(method: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]:
    """Make a method asynchronous: it runs in one of the threads of its object."""

    @wraps(method)
    async def run(owner: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await to_thread.run_sync(partial(method, owner, *args, **kwargs), limiter=owner.threads)

    return run
