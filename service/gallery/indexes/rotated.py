"""An index that never gets a vector as it is in the records: it holds and is asked for rotated vectors only."""

from service.domain.embedding import Embeddings
from service.gallery.base import FaceNumbers
from service.gallery.indexes.base import Neighbours, VectorIndex
from service.gallery.indexes.rotation import Rotation, rotate


class RotatedIndex:
    """Rotates what goes into another index. Distances stay, so the results are those of the other index.

    rotation: (d, d) float64, orthogonal.
    """

    def __init__(self, index: VectorIndex, rotation: Rotation) -> None:
        self._index = index
        self._rotation = rotation

    def __len__(self) -> int:
        return len(self._index)

    @property
    def numbers(self) -> FaceNumbers:
        return self._index.numbers

    def add(self, numbers: FaceNumbers, embeddings: Embeddings) -> None:
        """Add faces. numbers: (n,) int64. embeddings: (n, d) float32, unit length.

        Raises ValueError, and adds nothing, if a number occurs twice or the shapes do not fit.
        """
        self._index.add(numbers, rotate(embeddings, self._rotation))

    def remove(self, numbers: FaceNumbers) -> int:
        """Remove faces and return how many were removed. Unknown numbers are ignored."""
        return self._index.remove(numbers)

    def search(self, probes: Embeddings, k: int) -> Neighbours:
        """Find the k nearest faces of each probe. probes: (n, d) float32.

        Raises ValueError if the shape does not fit.
        """
        return self._index.search(rotate(probes, self._rotation), k)
