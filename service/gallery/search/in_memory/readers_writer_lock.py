"""A lock for many readers or one writer. FAISS crashes if an index is searched while it is written."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class ReadersWriterLock:
    """Readers run in parallel. A writer runs alone.

    A waiting writer goes before new readers. Otherwise a steady flow of readers would keep it waiting for ever.
    The lock is not reentrant. A thread that reads and asks to read again can deadlock: it waits for the waiting writer,
    and the writer waits for it.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._readers = 0
        self._waiting_writers = 0
        self._writing = False

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Hold the lock together with other readers."""
        with self._changed:
            # A reader waits for waiting writers too, so that they go first.
            self._changed.wait_for(lambda: not self._writing and not self._waiting_writers)
            self._readers += 1
        try:
            yield
        finally:
            with self._changed:
                self._readers -= 1
                self._changed.notify_all()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the lock alone."""
        with self._changed:
            self._waiting_writers += 1
            try:
                self._changed.wait_for(lambda: not self._writing and not self._readers)
                self._writing = True
            finally:
                # In `finally`: if the wait is interrupted, readers must not wait for this writer for ever.
                self._waiting_writers -= 1
        try:
            yield
        finally:
            with self._changed:
                self._writing = False
                self._changed.notify_all()
