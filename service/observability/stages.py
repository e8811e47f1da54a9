"""The time that each stage of a request takes, for `/metrics` and for the `Server-Timing` header."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import perf_counter

from service.observability.metrics import STAGE_SECONDS

_request_stages_s: ContextVar[defaultdict[str, float] | None] = ContextVar("request_stages_s", default=None)


@contextmanager
def request_stages() -> Iterator[defaultdict[str, float]]:
    """Collect the seconds of each stage of one request. Stages that run in threads are included."""
    seconds: defaultdict[str, float] = defaultdict(float)
    token = _request_stages_s.set(seconds)
    try:
        yield seconds
    finally:
        _request_stages_s.reset(token)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Time the block as the stage `name`."""
    start_s = perf_counter()
    try:
        yield
    finally:
        record_stage(name, perf_counter() - start_s)


def record_stage(name: str, seconds: float) -> None:
    """Add the time of a stage that was measured elsewhere."""
    STAGE_SECONDS.labels(name).observe(seconds)
    stages_s = _request_stages_s.get()
    if stages_s is not None:
        stages_s[name] += seconds
