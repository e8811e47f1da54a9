"""The threads of a command."""

from threading import Event, current_thread

import pytest

from service.commands.photographs.threads import map_in_threads


def test_the_results_are_in_the_order_of_the_items() -> None:
    last_is_done = Event()

    def double(number: int) -> int:
        if number == 0:
            assert last_is_done.wait(10)
        if number == 9:
            last_is_done.set()
        return 2 * number

    assert list(map_in_threads(double, range(10), 2)) == [2 * number for number in range(10)]
    assert list(map_in_threads(double, [], 2)) == []


def test_after_an_error_nothing_is_begun_or_waited_for() -> None:
    begun: list[int] = []
    never, is_working, is_waited_for = Event(), Event(), Event()

    def work(number: int) -> int:
        begun.append(number)
        if number == 0:
            assert is_working.wait(10)
            raise ValueError("0")
        assert current_thread().daemon  # the end of the program does not wait for it
        is_working.set()
        if not never.wait(10):
            is_waited_for.set()
        return number

    with pytest.raises(ValueError, match="0"):
        list(map_in_threads(work, range(100), 2))
    assert not is_waited_for.is_set()
    never.set()
    assert len(begun) <= 4
