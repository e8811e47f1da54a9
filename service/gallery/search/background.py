"""A thread for long work that nobody waits for, such as building and rewriting indexes."""

import threading
from collections import deque
from collections.abc import Callable

import structlog

from service.domain.errors import FacenetError
from service.domain.waiting import WaitingClient, work_for
from service.observability.heap import return_freed_memory

LOG = structlog.get_logger(__name__)
Work = Callable[[], None]


class Background:
    """Does one piece of work after the other. The thread ends when there is no more.

    So at most one core is taken from the searches.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[Work] = deque()
        self._thread: threading.Thread | None = None
        self._client = WaitingClient()

    def begin(self, work: Work) -> None:
        """Do the work when all that was begun before is done. An error is logged."""
        with self._changed:
            self._waiting.append(work)
            if self._thread is None and self._client.waits:
                self._thread = threading.Thread(target=self._do_all, name="indexes", daemon=True)
                self._thread.start()

    @property
    def is_idle(self) -> bool:
        return self._thread is None

    def begin_if_idle(self, work: Work) -> None:
        """Do the work if nothing else is to be done."""
        if self.is_idle:
            self.begin(work)

    def wait(self, timeout_s: float) -> bool:
        """Wait until everything is done. Return whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: self._thread is None, timeout_s)

    def stop(self) -> None:
        """End the work at its next step, begin no other, and wait until the thread has ended."""
        self._client.leave()
        with self._changed:
            self._changed.wait_for(lambda: self._thread is None)

    def _do_all(self) -> None:
        with work_for(self._client):
            while (work := self._next()) is not None:
                try:
                    work()
                except FacenetError as error:
                    LOG.warning("index_work_failed", error=type(error).__name__, cause=str(error.__cause__))
                except Exception:
                    LOG.exception("index_work_failed")
                return_freed_memory()  # such work reads the embeddings of a whole collection

    def _next(self) -> Work | None:
        """Return what to do next. None if the thread ends now."""
        with self._changed:
            if self._waiting and self._client.waits:
                return self._waiting.popleft()
            self._thread = None
            self._changed.notify_all()
            return None
