"""Whether a client still waits for the answer to its request. Work that nobody waits for is not begun, and not stored.

The request is found by a context variable, so tasks and threads that work on the same request find it too. Work outside
a request, such as the start of the service, always continues.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from service.domain.errors import Abandoned, TimedOut


class WaitingClient:
    """The client of one request. Safe to use from several threads at once.

    A client that left may have sent a change on purpose without waiting for the answer, so the change is still stored.
    A client that was told that its request failed must not find the change stored.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._has_left = False
        self._was_refused = False
        self._is_storing = False
        self._is_late = False

    @property
    def is_late(self) -> bool:
        """Whether the answer is due. Work that has stored a part of its changes stores no more, and answers."""
        return self._is_late

    @property
    def waits(self) -> bool:
        return not (self._has_left or self._was_refused)

    def leave(self) -> None:
        """Say that the client has closed its connection."""
        self._has_left = True

    def refuse(self) -> bool:
        """Tell all work of the request that the client gets a refusal.

        Returns False if a change is being stored. Then the client must get the answer of the work.
        """
        with self._lock:
            self._is_late = True
            self._was_refused = not self._is_storing
            return self._was_refused

    def begin_storing(self) -> None:
        """Say that a change is stored now. Raises Abandoned if the client gets a refusal."""
        with self._lock:
            if self._was_refused:
                raise Abandoned
            self._is_storing = True


_current: ContextVar[WaitingClient | None] = ContextVar("waiting_client", default=None)


@contextmanager
def work_for(client: WaitingClient) -> Iterator[None]:
    """Do the work of the block for this client."""
    token = _current.set(client)
    try:
        yield
    finally:
        _current.reset(token)


def current_client() -> WaitingClient | None:
    """Return the client of this request. None outside a request."""
    return _current.get()


def require_waiting_client() -> None:
    """Raise Abandoned if nobody waits for the answer to this request."""
    client = _current.get()
    if client is not None and not client.waits:
        raise Abandoned


def require_time() -> None:
    """Raise Abandoned if nobody waits for the answer to this request, and TimedOut if it is due now."""
    require_waiting_client()
    client = _current.get()
    if client is not None and client.is_late:
        raise TimedOut(
            "The time of the request ended before this part of it was stored. Send it again.", retry_after_s=5
        )


def begin_storing() -> None:
    """Say that a change of this request is stored now. Raises Abandoned if its client gets a refusal."""
    client = _current.get()
    if client is not None:
        client.begin_storing()
