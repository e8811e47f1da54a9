"""Limit the number of images in flight. A request is refused before any work is done on its images."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from service.access.shares import SharedLimit
from service.domain.access import current_access
from service.domain.errors import InvalidOption, Overloaded
from service.observability.metrics import IMAGES_IN_FLIGHT

OVERLOAD_S = 2.0
"""How long the queue of a key stays short after a request that found it full."""


class Admission:
    """Admits at most `max_in_flight` images of all requests together, and at most `max_per_request` of one request.

    Of the images in flight, those of one access key are at most three quarters. If a key reaches this, it asks for more
    than the service can do. In a long queue, every answer is then late, and the service is busy for long after the
    overload ends. So the next request of the key is only admitted when fewer than `short_queue` of its images are in
    flight, until no request of the key has been refused for OVERLOAD_S.

    short_queue: how many images of such a key are in flight. Too few leave threads without work.
    count_images: counts the admitted images of an access key. Raises QuotaUsed.
    clock: in seconds. It never goes back.
    """

    def __init__(
        self,
        max_in_flight: int,
        max_per_request: int,
        short_queue: int,
        count_images: Callable[[int], None],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._max_per_request = min(max_per_request, max_in_flight)
        self._in_flight = SharedLimit(max_in_flight, self._max_per_request)
        self._short_queue = short_queue
        self._count_images = count_images
        self._clock = clock
        self._refused_s: dict[str | None, float] = {}

    def require_room(self) -> None:
        """Raise Overloaded if not a single image would be admitted now. So no body is read that would be refused."""
        key = current_access().key
        if not self._has_room(key, 1):
            self._note_overload(key)
            raise _too_many_images()

    def count(self, images: int) -> None:
        """Count images that take no place: faces without a photograph. Raises QuotaUsed, and then counts none."""
        self._count_images(images)

    @contextmanager
    def admit(self, images: int, advice: str = "Send them in several requests.") -> Iterator[None]:
        """Count the images of a request as in flight, until the context ends.

        advice: what to do with more images than one request may have.

        Raises Overloaded if there are too many now, and QuotaUsed if the access key has sent its images for this day.
        Raises InvalidOption for more images than one request may have.
        """
        if images > self._max_per_request:
            raise InvalidOption(f"The request has {images} images. The limit is {self._max_per_request}. {advice}")
        key = current_access().key
        if not self._has_room(key, images):
            raise _too_many_images()
        self._count_images(images)
        self._in_flight.take(key, images)
        IMAGES_IN_FLIGHT.set(self._in_flight.held)
        try:
            yield
        finally:
            self._in_flight.give_back(key, images)
            IMAGES_IN_FLIGHT.set(self._in_flight.held)

    def _has_room(self, key: str | None, images: int) -> bool:
        has_turn = not self._is_overloaded(key) or self._in_flight.held_by(key) < self._short_queue
        return has_turn and self._in_flight.has_room(key, images)

    def _is_overloaded(self, key: str | None) -> bool:
        refused_s = self._refused_s.get(key)
        return refused_s is not None and self._clock() - refused_s < OVERLOAD_S

    def _note_overload(self, key: str | None) -> None:
        self._refused_s = {other: at for other, at in self._refused_s.items() if self._is_overloaded(other)}
        self._refused_s[key] = self._clock()


def _too_many_images() -> Overloaded:
    return Overloaded("Too many images are in flight. Try again in a moment.", retry_after_s=1)
