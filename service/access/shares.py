"""How much of a common limit one access key may hold, so that a request of another key always gets in."""

from collections import Counter

SHARE_OF_KEY = 0.75
"""The part of a limit that the running requests of one key may hold together."""


class SharedLimit:
    """A limit that the requests of all keys share: images, bytes or requests that are in the service now.

    One key may hold three quarters of it. Without keys, everything is free for everybody.

    limit: what all requests may hold together.
    largest: what one request may hold. A key may hold this much in any case, if nobody else holds it.
    """

    def __init__(self, limit: int, largest: int = 1) -> None:
        self._limit = limit
        self._limit_of_key = max(int(SHARE_OF_KEY * limit), largest)
        self._held_by: Counter[str | None] = Counter()
        self.held = 0

    def has_room(self, key: str | None, count: int) -> bool:
        """Return whether `take` would succeed. key: the id of the access key. None: a request without a key."""
        within_share = key is None or self._held_by[key] + count <= self._limit_of_key
        return within_share and self.held + count <= self._limit

    def held_by(self, key: str | None) -> int:
        """Return how much the requests of the key hold together."""
        return self._held_by[key]

    def take(self, key: str | None, count: int) -> bool:
        """Hold this much more for a request of the key. Return False if there is no room, and hold nothing."""
        if not self.has_room(key, count):
            return False
        self._add(key, count)
        return True

    def give_back(self, key: str | None, count: int) -> None:
        """No longer hold this much for the key."""
        self._add(key, -count)

    def _add(self, key: str | None, count: int) -> None:
        self.held += count
        self._held_by[key] += count
        if not self._held_by[key]:
            del self._held_by[key]  # so ended keys take no memory
