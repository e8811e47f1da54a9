"""Readers hold the lock together. A writer holds it alone."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import pytest

from service.gallery.search.in_memory.readers_writer_lock import ReadersWriterLock

BLOCKED_AFTER_S = 0.05
"""A thread that does not get the lock within this time counts as blocked."""
TIMEOUT_S = 10


class LockHolder:
    """A thread that takes a lock, sets `acquired`, and holds the lock until `release` is called."""

    def __init__(self, lock: AbstractContextManager[None]) -> None:
        self._lock = lock
        self.acquired = threading.Event()
        self.may_release = threading.Event()
        self._thread = threading.Thread(target=self._hold)
        self._thread.start()

    def _hold(self) -> None:
        with self._lock:
            self.acquired.set()
            self.may_release.wait(TIMEOUT_S)

    def release(self) -> None:
        self.may_release.set()
        self._thread.join(TIMEOUT_S)


def test_readers_hold_the_lock_together() -> None:
    lock = ReadersWriterLock()
    first, second = LockHolder(lock.reading()), LockHolder(lock.reading())
    assert first.acquired.wait(TIMEOUT_S)
    assert second.acquired.wait(TIMEOUT_S)
    first.release()
    second.release()


@pytest.mark.parametrize("next_access", ["reading", "writing"])
def test_a_writer_holds_the_lock_alone(next_access: str) -> None:
    lock = ReadersWriterLock()
    writer = LockHolder(lock.writing())
    assert writer.acquired.wait(TIMEOUT_S)
    waiting = LockHolder(getattr(lock, next_access)())
    assert not waiting.acquired.wait(BLOCKED_AFTER_S)
    writer.release()
    assert waiting.acquired.wait(TIMEOUT_S)
    waiting.release()


def test_a_writer_waits_for_the_readers_and_goes_before_later_readers() -> None:
    lock = ReadersWriterLock()
    reader = LockHolder(lock.reading())
    assert reader.acquired.wait(TIMEOUT_S)
    writer = LockHolder(lock.writing())
    assert not writer.acquired.wait(BLOCKED_AFTER_S)
    later_reader = LockHolder(lock.reading())
    assert not later_reader.acquired.wait(BLOCKED_AFTER_S)
    reader.release()
    assert writer.acquired.wait(TIMEOUT_S)
    assert not later_reader.acquired.is_set()
    writer.release()
    assert later_reader.acquired.wait(TIMEOUT_S)
    later_reader.release()


def test_an_error_releases_the_lock() -> None:
    lock = ReadersWriterLock()
    for access in (lock.reading, lock.writing):
        with pytest.raises(RuntimeError), access():
            raise RuntimeError
    with lock.writing():
        pass


def test_no_write_is_lost_and_no_reader_reads_half_a_write() -> None:
    lock = ReadersWriterLock()
    pair = [0, 0]

    def write(_call: int) -> None:
        with lock.writing():
            pair[0] += 1
            pair[1] += 1

    def read(_call: int) -> bool:
        with lock.reading():
            return pair[0] == pair[1]

    with ThreadPoolExecutor(4) as threads:
        consistent_reads = threads.map(read, range(200))
        list(threads.map(write, range(200)))
        assert all(consistent_reads)
    assert pair == [200, 200]
