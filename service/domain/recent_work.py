"""How much work each access key has had of late. Who has had least is next."""

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

HALF_LIFE_S = 2.0
"""After this time, work counts half. So a key that was silent is first for about this long at most."""
FORGOTTEN_S = 32 * HALF_LIFE_S


class RecentWork:
    """Sums up the work of each key. Older work counts less, so a key is not punished for what it did an hour ago.

    clock: in seconds. It never goes back.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._counted: OrderedDict[str | None, tuple[float, float]] = OrderedDict()
        """The work of each key, and when it was that much. The key that worked last is at the end."""

    def __len__(self) -> int:
        return len(self._counted)

    def add(self, key: str | None, work: float) -> None:
        """Count more work of the key. The unit is that of the caller: seconds, or faces."""
        now_s = self._clock()
        self._counted[key] = (self.of(key) + work, now_s)
        self._counted.move_to_end(key)
        while now_s - next(iter(self._counted.values()))[1] > FORGOTTEN_S:
            self._counted.popitem(last=False)

    def of(self, key: str | None) -> float:
        """Return the work of the key."""
        work, counted_s = self._counted.get(key, (0.0, 0.0))
        return work * 0.5 ** ((self._clock() - counted_s) / HALF_LIFE_S) if work else 0.0
