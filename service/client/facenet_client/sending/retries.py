"""Which requests are sent again, and when."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from facenet_client.errors import RequestRefused

BUSY_CODES = frozenset({"index_building", "overloaded", "rate_exceeded", "search_unavailable", "storage_unavailable"})
"""Problems that pass. The service has changed nothing when it answers one of them, so every request can be sent again.

A request that timed out is not repeated: it would take as long again. Nor is one after which it is not known whether
something was stored.
"""

DEFAULT_WAIT_S = 1.0
SHORTEST_WAIT_S = 0.1
"""A proxy may say 0. A request must not be repeated without any pause."""

OnWait = Callable[[RequestRefused, float], object]
"""Is called before a wait, with the refusal and the seconds."""


@dataclass(frozen=True, slots=True)
class Retries:
    """How long requests are repeated while the service is busy.

    total_s: no wait ends later than this after the first try. 0: nothing is repeated.
    clock: returns a time in seconds that only grows.
    """

    total_s: float
    on_wait: OnWait | None = None
    clock: Callable[[], float] = time.monotonic

    def start(self) -> "Attempts":
        """Begin to count the time of a request."""
        return Attempts(self, self.clock() + self.total_s)


@dataclass(frozen=True, slots=True)
class Attempts:
    """The tries of one request."""

    retries: Retries
    deadline_s: float

    def wait_after(self, refusal: RequestRefused) -> float:
        """Return the seconds to wait before the next try. Raises the refusal if there is none."""
        wait_s = DEFAULT_WAIT_S if refusal.retry_after_s is None else refusal.retry_after_s
        wait_s = max(wait_s, SHORTEST_WAIT_S)
        if refusal.code not in BUSY_CODES or self.retries.clock() + wait_s > self.deadline_s:
            raise refusal
        if self.retries.on_wait:
            self.retries.on_wait(refusal, wait_s)
        return wait_s
