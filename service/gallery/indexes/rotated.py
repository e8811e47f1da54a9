"""An index that never gets a vector as it is in the records: it holds and is asked for rotated vectors only."""

from service.domain.distances import Distances
from service.domain.embedding import Embeddings
from service.gallery.base import FaceNumbers
from service.gallery.indexes.base import CreateIndex, Neighbours, ReadVectors, Rewrite, Snapshot
from service.gallery.indexes.rotation import Rotation, rotate


class RotatedIndex:
    """Rotates what goes into another index, and what it reads. Distances stay, so the results are those of that index.

    rotation: (d, d) float64, orthogonal.
    read: reads stored embeddings, as they are.
    """

    def __init__(self, create_index: CreateIndex, rotation: Rotation, read: ReadVectors) -> None:
        def read_rotated(numbers: FaceNumbers) -> tuple[FaceNumbers, Embeddings]:
            found, embeddings = read(numbers)
            return found, rotate(embeddings, rotation)

        self._index = create_index(len(rotation), read_rotated)
        self._rotation = rotation
        self.is_saved = False

    def __len__(self) -> int:
        return len(self._index)

    @property
    def numbers(self) -> FaceNumbers:
        return self._index.numbers

    @property
    def is_exact(self) -> bool:
        return self._index.is_exact

    @property
    def needs_rewrite(self) -> bool:
        return self._index.needs_rewrite

    def fill(self, numbers: FaceNumbers) -> None:
        """Add stored faces to an empty index, which reads their embeddings. Raises StorageUnavailable."""
        self._index.fill(numbers)

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

    def distances(self, probes: Embeddings) -> tuple[FaceNumbers, Distances] | None:
        """Return the numbers (m,) of all faces, and the distance of each probe to each, (n, m) float32.

        None if the index does not hold the embeddings themselves.
        """
        return self._index.distances(rotate(probes, self._rotation))

    def begin_rewrite(self) -> Rewrite:
        """Return the rewrite that `needs_rewrite` is about. One rewrite at a time."""
        return self._index.begin_rewrite()

    def load(self, snapshot: Snapshot, numbers: FaceNumbers) -> bool:  # noqa: ARG002
        """Return False: what is encrypted in the records is in memory only, and never in another file."""
        return False

    def save(self, snapshot: Snapshot) -> None:
        """Remove what a plain gallery may have left."""
        snapshot.remove()
        self.is_saved = True
