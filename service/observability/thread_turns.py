"""How long a thread keeps the interpreter (the GIL) while others wait for it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

SHORT_TURN_S = 0.0005


class ThreadTurns:
    """Makes the turns of all threads short while work goes on that holds the interpreter for long.

    A search comes back from native code several times, and each time waits for its turn. With the 5 ms of Python, one
    search of a hundred took 52 to 59 ms beside an import. With short turns, it was 34 to 37 ms. But without such
    work, short turns cost time: a tenth of the searches of a second.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._running = 0
        self._usual_s = sys.getswitchinterval()

    @contextmanager
    def short(self) -> Iterator[None]:
        """Make turns short until the end of this context, and of all others that run at the same time."""
        self._add(1)
        try:
            yield
        finally:
            self._add(-1)

    def _add(self, count: int) -> None:
        with self._lock:
            self._running += count
            sys.setswitchinterval(SHORT_TURN_S if self._running else self._usual_s)


TURNS = ThreadTurns()
"""Those of this process."""
