"""Two calls in turns, so that a machine that becomes slower meanwhile is slower for both."""

from collections.abc import Callable
from time import perf_counter

Call = Callable[[], object]


def alternate(first: Call, second: Call, rounds: int) -> list[tuple[float, float]]:
    """Return the times of both calls in each round, in seconds."""
    return [(_seconds(first), _seconds(second)) for _ in range(rounds)]


def shortest(times: list[tuple[float, float]]) -> tuple[float, float]:
    """Return the shortest time of each call. Other programs on the machine change it least."""
    first, second = zip(*times, strict=True)
    return min(first), min(second)


def _seconds(call: Call) -> float:
    start_s = perf_counter()
    call()
    return perf_counter() - start_s
