"""Limit the number of images in flight. A request is refused before any work is done on its images."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from service.access.shares import SharedLimit
from service.domain.access import current_access
from service.domain.errors import InvalidOption, Overloaded
from service.observability.metrics import IMAGES_IN_FLIGHT


class Admission:
    """Admits at most `max_in_flight` images of all requests together, and at most `max_per_request` of one request.

    Of the images in flight, those of one access key are at most three quarters.

    count_images: counts the admitted images of an access key. Raises QuotaUsed.
    """

    def __init__(self, max_in_flight: int, max_per_request: int, count_images: Callable[[int], None]) -> None:
        self._max_per_request = min(max_per_request, max_in_flight)
        self._in_flight = SharedLimit(max_in_flight, self._max_per_request)
        self._count_images = count_images

    def require_room(self) -> None:
        """Raise Overloaded if not a single image would be admitted now. So no body is read that would be refused."""
        if not self._in_flight.has_room(current_access().key, 1):
            raise _too_many_images()

    @contextmanager
    def admit(self, images: int) -> Iterator[None]:
        """Count the images of a request as in flight, until the context ends.

        Raises Overloaded if there are too many now, and QuotaUsed if the access key has sent its images for this day.
        Raises InvalidOption for more images than one request may have.
        """
        if images > self._max_per_request:
            raise InvalidOption(
                f"The request has {images} images. The limit is {self._max_per_request}. Send them in several requests."
            )
        key = current_access().key
        if not self._in_flight.has_room(key, images):
            raise _too_many_images()
        self._count_images(images)
        self._in_flight.take(key, images)
        IMAGES_IN_FLIGHT.set(self._in_flight.held)
        try:
            yield
        finally:
            self._in_flight.give_back(key, images)
            IMAGES_IN_FLIGHT.set(self._in_flight.held)


def _too_many_images() -> Overloaded:
    return Overloaded("Too many images are in flight. Try again in a moment.", retry_after_s=1)
