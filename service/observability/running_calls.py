"""Calls of models and decoders in threads: how long the longest of them has been running. One that hangs never ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from service.observability.metrics import LONGEST_CALL_SECONDS


class RunningCalls:
    """The calls that run now. Used in the event loop only."""

    def __init__(self) -> None:
        self._started_s: dict[object, float] = {}

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count a call that runs inside of the context."""
        call = object()
        self._started_s[call] = monotonic()
        try:
            yield
        finally:
            del self._started_s[call]

    def longest_s(self) -> float:
        """Return how long the call that started first has been running. 0 if none runs."""
        first = next(iter(self._started_s.values()), None)  # a dictionary keeps the order
        return 0.0 if first is None else monotonic() - first


CALLS = RunningCalls()
"""Of this process, as its metrics are."""
LONGEST_CALL_SECONDS.set_function(CALLS.longest_s)
