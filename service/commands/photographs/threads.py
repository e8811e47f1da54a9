"""Do the same with many items in threads that end with the command.

The threads of `concurrent.futures` are waited for when a program ends. After Ctrl-C, that would be as long as the
slowest request.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def map_in_threads(work: Callable[[T], R], items: Iterable[T], threads: int) -> Iterator[R]:
    """Yield the result of each item, in the order of the items. Raises the error of the first that failed.

    After an error, or if the caller stops early, no further item is begun, and those that run are not waited for.
    """
    waiting = deque((Future[R](), item) for item in items)
    results = deque(result for result, _ in waiting)
    for _ in range(min(threads, len(waiting))):
        Thread(target=_work_off, args=(work, waiting), daemon=True).start()
    try:
        while results:
            yield results.popleft().result()  # what was yielded is not kept here
    finally:
        waiting.clear()


def _work_off(work: Callable[[T], R], waiting: deque[tuple[Future[R], T]]) -> None:
    while True:
        try:
            result, item = waiting.popleft()
        except IndexError:
            return
        try:
            result.set_result(work(item))
        except BaseException as error:  # noqa: BLE001  # it is raised where the result is asked for
            result.set_exception(error)
