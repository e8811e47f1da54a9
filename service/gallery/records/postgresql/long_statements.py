"""Statements that can take minutes, such as VACUUM and the build of an index. A stop does not wait for them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import structlog
from sqlalchemy import Connection

from service.domain.errors import StorageUnavailable

LOG = structlog.get_logger(__name__)
CANCEL_S = 5.0
"""How long a stop waits until the server knows that a statement is to end."""


class LongStatements:
    """The connections that run such statements now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[psycopg.Connection] = set()
        self._ended = threading.Event()

    @contextmanager
    def running(self, connection: Connection) -> Iterator[None]:
        """Let `end` cancel what the connection does until the context ends. Raises StorageUnavailable after `end`."""
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)  # noqa: S101  # the only driver for PostgreSQL
        with self._lock:
            self.wait(0)
            self._running.add(driver)
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(driver)

    def wait(self, seconds: float) -> None:
        """Wait before the next statement. Raises StorageUnavailable at once when `end` is called."""
        if self._ended.wait(seconds):
            raise StorageUnavailable

    def end(self) -> None:
        """Cancel them all, and let no other begin. What is not done is done by another replica, or after a start."""
        with self._lock:
            self._ended.set()
            for driver in self._running:
                try:
                    driver.cancel_safe(timeout=CANCEL_S)
                except psycopg.Error as error:  # the server is gone, perhaps. The others are still to be cancelled
                    LOG.warning("statement_not_cancelled", error=type(error).__name__)
