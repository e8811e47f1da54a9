"""The door: counts the images in flight and says no while that costs nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

from service.errors import InvalidOption, Overloaded
from service.observability.metrics import IMAGES_IN_FLIGHT


class Door:
    """Admits at most `images_in_flight` images at once and `images_per_request` of one request."""

    def __init__(self, images_in_flight: int, images_per_request: int) -> None:
        self._limit = images_in_flight
        self._per_request = min(images_per_request, images_in_flight)
        self._inside = 0

    @contextmanager
    def admit(self, images: int) -> Iterator[None]:
        """Holds places for a request's images. Raises Overloaded, or InvalidOption for more than will ever fit."""
        if images > self._per_request:
            raise InvalidOption(f"{images} images came; one request takes {self._per_request}. Send them in parts.")
        if self._inside + images > self._limit:
            raise Overloaded("Too many images are in flight. Try again in a moment.", retry_after_s=1)
        self._count(images)
        try:
            yield
        finally:
            self._count(-images)

    def _count(self, images: int) -> None:
        self._inside += images
        IMAGES_IN_FLIGHT.set(self._inside)
