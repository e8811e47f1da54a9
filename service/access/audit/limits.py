"""How many refusals get a line of their own. Otherwise anybody could push all other lines out of the log."""

import time

WINDOW_S = 60.0
LINES_PER_WINDOW = 100


class RefusalLimit:
    """Counts the refusals that get no line. Not safe for several threads."""

    def __init__(self) -> None:
        self._window_ends_s = 0.0
        self._lines = 0
        self._left_out = 0

    def admits(self) -> bool:
        """Return whether this refusal gets a line. Otherwise it is counted."""
        now_s = time.monotonic()
        if now_s >= self._window_ends_s:
            self._window_ends_s, self._lines = now_s + WINDOW_S, 0
        self._lines += 1
        is_admitted = self._lines <= LINES_PER_WINDOW
        self._left_out += not is_admitted
        return is_admitted

    def take_left_out(self) -> int:
        """Return how many refusals got no line, if their time is over, and start to count again."""
        if time.monotonic() < self._window_ends_s:
            return 0
        left_out, self._left_out = self._left_out, 0
        return left_out
