"""The seam: what a detector is to the pipeline."""

from collections.abc import Sequence
from typing import Protocol

from service.domain import Face, Image


class Detector(Protocol):
    """Finds the faces of photographs. Safe to call from several threads at once."""

    def detect(self, images: Sequence[Image]) -> list[list[Face]]:
        """The faces of each image, most certain first; an empty list where none is.

        A photograph's faces are the same whether it comes alone or among others.
        """
        ...
