"""Readers beside each other, a writer alone."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import pytest

from service.galleries.lock import ReadersWriterLock

SOON_S = 0.05
"""Long enough for a thread that may go on to do so."""
PATIENCE_S = 10


class Visitor:
    """Enters, says so, and stays until it is told to leave."""

    def __init__(self, door: AbstractContextManager[None]) -> None:
        self._door = door
        self.inside = threading.Event()
        self.may_leave = threading.Event()
        self._thread = threading.Thread(target=self._visit)
        self._thread.start()

    def _visit(self) -> None:
        with self._door:
            self.inside.set()
            self.may_leave.wait(PATIENCE_S)

    def leave(self) -> None:
        self.may_leave.set()
        self._thread.join(PATIENCE_S)


def test_readers_are_inside_together() -> None:
    lock = ReadersWriterLock()
    first, second = Visitor(lock.reading()), Visitor(lock.reading())
    assert first.inside.wait(PATIENCE_S)
    assert second.inside.wait(PATIENCE_S)
    first.leave()
    second.leave()


@pytest.mark.parametrize("later", ["reading", "writing"])
def test_a_writer_is_alone(later: str) -> None:
    lock = ReadersWriterLock()
    writer = Visitor(lock.writing())
    assert writer.inside.wait(PATIENCE_S)
    other = Visitor(getattr(lock, later)())
    assert not other.inside.wait(SOON_S)
    writer.leave()
    assert other.inside.wait(PATIENCE_S)
    other.leave()


def test_a_writer_waits_for_the_readers_and_goes_before_those_that_come_later() -> None:
    lock = ReadersWriterLock()
    reader = Visitor(lock.reading())
    assert reader.inside.wait(PATIENCE_S)
    writer = Visitor(lock.writing())
    assert not writer.inside.wait(SOON_S)
    later = Visitor(lock.reading())
    assert not later.inside.wait(SOON_S)
    reader.leave()
    assert writer.inside.wait(PATIENCE_S)
    assert not later.inside.is_set()
    writer.leave()
    assert later.inside.wait(PATIENCE_S)
    later.leave()


def test_whoever_fails_inside_leaves_the_lock_free() -> None:
    lock = ReadersWriterLock()
    for door in (lock.reading, lock.writing):
        with pytest.raises(RuntimeError), door():
            raise RuntimeError
    with lock.writing():
        pass


def test_no_write_is_lost_and_none_is_seen_by_half() -> None:
    lock = ReadersWriterLock()
    pair = [0, 0]

    def write(_turn: int) -> None:
        with lock.writing():
            pair[0] += 1
            pair[1] += 1

    def read(_turn: int) -> bool:
        with lock.reading():
            return pair[0] == pair[1]

    with ThreadPoolExecutor(4) as threads:
        whole = threads.map(read, range(200))
        list(threads.map(write, range(200)))
        assert all(whole)
    assert pair == [200, 200]
