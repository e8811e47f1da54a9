"""The interface of an index."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from service.domain.embedding import Embeddings
from service.gallery.base import FaceNumbers


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """The nearest references of each probe, nearest first.

    numbers: (n, k) int64, the numbers of the faces.
    distances: (n, k) float32, squared L2.
    k is at most the number of faces in the index. Nothing is padded.
    """

    numbers: NDArray[np.int64]
    distances: NDArray[np.float32]


class VectorIndex(Protocol):
    """Searches the embeddings of one collection. It holds nothing that the records do not hold.

    Several searches may run in parallel. The caller makes sure that none runs during `add` or `remove`.
    """

    def __len__(self) -> int: ...

    @property
    def numbers(self) -> FaceNumbers:
        """The numbers of the faces in the index, in any order."""
        ...

    def add(self, numbers: FaceNumbers, embeddings: Embeddings) -> None:
        """Add faces. numbers: (n,) int64. embeddings: (n, d) float32, unit length.

        Raises ValueError, and adds nothing, if a number occurs twice or the shapes do not fit.
        """
        ...

    def remove(self, numbers: FaceNumbers) -> int:
        """Remove faces and return how many were removed. Unknown numbers are ignored."""
        ...

    def search(self, probes: Embeddings, k: int) -> Neighbours:
        """Find the k nearest faces of each probe. probes: (n, d) float32, unit length. k: at least 1.

        Raises ValueError if the shape does not fit.
        """
        ...


class CreateIndex(Protocol):
    """Creates an empty index."""

    def __call__(self, dimension: int) -> VectorIndex:
        """Create an index for embeddings of this dimension."""
        ...
