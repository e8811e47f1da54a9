"""How much one key may ask for: requests a minute, and images a day."""

from datetime import UTC, datetime, timedelta
from math import ceil

from service.domain.access_errors import QuotaUsed, RateExceeded

SPAN_S = 60.0


class RequestRate:
    """Allows `per_minute` requests a minute on average. After a pause, as many may come at once.

    This is the generic cell rate algorithm (ITU-T I.371): one number, the time at which the next request would be due
    if they came evenly.
    """

    def __init__(self, per_minute: int) -> None:
        self._interval_s = SPAN_S / per_minute
        self._due_s = 0.0

    def take(self, now_s: float) -> None:
        """Count a request. now_s: of a clock that never goes back. Raises RateExceeded."""
        due_s = max(self._due_s, now_s)
        too_early_s = due_s - now_s - (SPAN_S - self._interval_s)
        if too_early_s > 1e-6:
            raise RateExceeded(retry_after_s=ceil(too_early_s))
        self._due_s = due_s + self._interval_s


class ImageCount:
    """Counts the images of one day, in UTC.

    per_day: the most images. None: no limit.
    day, used: where to continue, as in the records.
    """

    def __init__(self, per_day: int | None, day: str | None, used: int) -> None:
        self._per_day = per_day
        self.day = day
        self.used = used
        self._not_stored = 0

    def take(self, images: int, now: datetime) -> None:
        """Count the images of a request. Raises QuotaUsed, and then counts none of them."""
        today = now.date().isoformat()
        if self.day is not None and today < self.day:
            today = self.day  # the clock was set back
        used = self.used if self.day == today else 0
        if self._per_day is not None and used + images > self._per_day:
            raise QuotaUsed(retry_after_s=ceil(_until_tomorrow(now).total_seconds()))
        self._not_stored = images + (self._not_stored if self.day == today else 0)
        self.day, self.used = today, used + images

    def take_not_stored(self) -> int:
        """Return how many images were counted since the last call. The caller adds them to the records."""
        images, self._not_stored = self._not_stored, 0
        return images

    def return_not_stored(self, day: str | None, images: int) -> None:
        """Take back what could not be stored. day: of these images."""
        self._not_stored += images if day == self.day else 0

    def read_again(self, day: str | None, used: int) -> None:
        """Continue from the records, to which other replicas have added."""
        if day is not None and day == self.day:
            self.used = used + self._not_stored
        elif day is not None and (self.day is None or day > self.day):
            self.day, self.used, self._not_stored = day, used, 0


def _until_tomorrow(now: datetime) -> timedelta:
    tomorrow = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return tomorrow - now
