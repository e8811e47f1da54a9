"""Where a request's time goes: each stage is timed once, for `/metrics` and for the answer's `Server-Timing` header."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import perf_counter

from service.observability.metrics import STAGE_SECONDS

_request_s: ContextVar[defaultdict[str, float] | None] = ContextVar("request_s", default=None)


@contextmanager
def request_stages() -> Iterator[defaultdict[str, float]]:
    """Collects the seconds of each stage of one request, also of those that run in threads on its behalf."""
    seconds: defaultdict[str, float] = defaultdict(float)
    token = _request_s.set(seconds)
    try:
        yield seconds
    finally:
        _request_s.reset(token)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Times the block as the stage `name`."""
    start_s = perf_counter()
    try:
        yield
    finally:
        record(name, perf_counter() - start_s)


def record(name: str, seconds: float) -> None:
    """Adds a stage that was timed elsewhere."""
    STAGE_SECONDS.labels(name).observe(seconds)
    request = _request_s.get()
    if request is not None:
        request[name] += seconds
