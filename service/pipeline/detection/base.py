"""The interface of a face detector."""

from typing import Protocol

from service.domain.face import Face
from service.domain.image import Pixels


class Detector(Protocol):
    """Finds the faces of a picture that are neither too small nor too large for it.

    Safe to call from several threads at once.
    """

    @property
    def min_face_px(self) -> int:
        """The width of the smallest face that is found reliably, in pixels of the picture."""
        ...

    def detect(self, pixels: Pixels) -> list[Face]:
        """Return the faces, highest detection score first.

        pixels: (h, w, 3) uint8 RGB, of any size. They are searched at this size.
        """
        ...
