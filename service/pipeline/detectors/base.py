"""The interface of a face detector."""

from collections.abc import Sequence
from typing import Protocol

from service.domain.face import Face
from service.domain.image import Image


class Detector(Protocol):
    """Finds the faces of photographs. Safe to call from several threads at once."""

    def detect(self, images: Sequence[Image]) -> list[list[Face]]:
        """Return the faces of each image, highest detection score first. An image without a face has an empty list.

        The faces of an image do not depend on the other images.
        """
        ...
