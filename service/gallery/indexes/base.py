"""The interface of an index."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from service.domain.distances import Distances
from service.domain.embedding import Embeddings
from service.domain.waiting import require_waiting_client
from service.gallery.base import EmbeddingModel, FaceNumbers

ROWS_AT_ONCE = 10_000
"""How many stored embeddings are read at once: 5 MB of 128 numbers each. More would keep other threads waiting."""

ReadVectors = Callable[[FaceNumbers], tuple[FaceNumbers, Embeddings]]
"""Reads stored embeddings by the numbers of their faces, which ascend.

Returns the numbers (n,) int64 of the faces that are stored, ascending, and their embeddings (n, d) float32.
Raises StorageUnavailable.
"""

Rewrite = Callable[[], Callable[[], None]]
"""Does the long work of a rewrite, while the index is searched and changed. Returns what switches to the result.

The switch is short. The caller makes sure that nothing else uses the index meanwhile.
"""


class StoredFaces(Protocol):
    """The faces of the collection in the records. Its methods raise StorageUnavailable."""

    def list(self) -> tuple[EmbeddingModel, FaceNumbers, NDArray[np.int64]] | None:
        """Return the model, the numbers of the faces, ascending, and the keys of their subjects. None if empty."""
        ...

    def read(self, numbers: FaceNumbers) -> tuple[FaceNumbers, Embeddings]:
        """Return those of the numbers, ascending, that are stored, and their embeddings, (n, d) float32."""
        ...


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

    Several searches may run in parallel. The caller makes sure that none runs during another method.

    is_exact: whether it finds the nearest faces in any case.
    needs_rewrite: whether the index would be smaller or faster after a rewrite.
    is_saved: whether its snapshot is up to date.
    """

    is_saved: bool

    def __len__(self) -> int: ...

    @property
    def numbers(self) -> FaceNumbers:
        """The numbers of the faces in the index, in any order."""
        ...

    @property
    def is_exact(self) -> bool: ...

    @property
    def needs_rewrite(self) -> bool: ...

    def fill(self, numbers: FaceNumbers) -> None:
        """Add stored faces to an empty index, which reads their embeddings. numbers: (n,) int64, ascending.

        A face that is not stored any more is left out. Raises StorageUnavailable.
        """
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

    def distances(self, probes: Embeddings) -> tuple[FaceNumbers, Distances] | None:
        """Return the numbers (m,) of all faces, and the distance of each probe to each, (n, m) float32.

        None if the index does not hold the embeddings themselves.
        """
        ...

    def begin_rewrite(self) -> Rewrite:
        """Return the rewrite that `needs_rewrite` is about. One rewrite at a time."""
        ...

    def load(self, snapshot: "Snapshot", numbers: FaceNumbers) -> bool:
        """Fill an empty index from its snapshot, as `fill` does. Return whether that was possible.

        numbers: (n,) int64, ascending, of the faces in the records. Raises StorageUnavailable.
        """
        ...

    def save(self, snapshot: "Snapshot") -> None:
        """Write the snapshot, or remove it if there is nothing to write. If it is up to date, do nothing.

        It can be called while the index is searched and changed. Raises OSError.
        """
        ...


class Snapshot(Protocol):
    """What a start needs, so that an index need not be made from the records again. It is never the truth."""

    def read(self) -> Sequence[Any]:
        """Return the segments of the index. There are none if there is no snapshot, or if it cannot be used."""
        ...

    def write(self, segments: Sequence[Any]) -> None:
        """Replace the snapshot. Raises OSError."""
        ...

    def remove(self) -> None:
        """Remove the snapshot. Raises OSError."""
        ...


class Snapshots(Protocol):
    """The snapshots of all collections."""

    def file_of(self, collection: int) -> Snapshot:
        """Return the snapshot of a collection. collection: its key in the records."""
        ...

    def keep_only(self, collections: Collection[int]) -> None:
        """Remove the snapshots of all other collections. Raises OSError."""
        ...


class NoSnapshot:
    """Keeps nothing."""

    def read(self) -> Sequence[Any]:
        """Return nothing."""
        return ()

    def write(self, segments: Sequence[Any]) -> None:
        """Write nothing."""

    def remove(self) -> None:
        """Remove nothing."""


class NoSnapshots:
    """Keeps nothing of any collection."""

    def file_of(self, collection: int) -> Snapshot:  # noqa: ARG002
        """Return a snapshot that is always empty."""
        return NoSnapshot()

    def keep_only(self, collections: Collection[int]) -> None:
        """Remove nothing."""


NO_SNAPSHOTS = NoSnapshots()


class HoldsEmbeddings:
    """An index that holds the embeddings themselves. It never needs a rewrite, and it has no snapshot."""

    is_exact = True
    needs_rewrite = False
    is_saved = False

    def begin_rewrite(self) -> Rewrite:
        """Raise NotImplementedError: it is never called."""
        raise NotImplementedError

    def load(self, snapshot: Snapshot, numbers: FaceNumbers) -> bool:  # noqa: ARG002
        """Return False."""
        return False

    def save(self, snapshot: Snapshot) -> None:
        """Remove what another kind of index may have left."""
        snapshot.remove()
        self.is_saved = True


class CreateIndex(Protocol):
    """Creates an empty index."""

    def __call__(self, dimension: int, read: ReadVectors) -> VectorIndex:
        """Create an index for embeddings of this dimension. read: reads those that the records hold."""
        ...


LoadSnapshot = Callable[[VectorIndex, FaceNumbers], bool]
"""Fills an empty index from a snapshot. Returns whether that was possible. Raises StorageUnavailable."""


def read_nothing(numbers: FaceNumbers) -> tuple[FaceNumbers, Embeddings]:
    """Read embeddings where none are stored."""
    return numbers[:0], np.empty((0, 0), np.float32)


def read_blocks(read: ReadVectors, numbers: FaceNumbers) -> Iterator[tuple[FaceNumbers, Embeddings]]:
    """Read many stored embeddings, some at a time. No block is empty.

    Raises StorageUnavailable, or Abandoned if the work is to end.
    """
    for start in range(0, len(numbers), ROWS_AT_ONCE):
        require_waiting_client()
        found, embeddings = read(numbers[start : start + ROWS_AT_ONCE])
        if len(found):
            yield found, embeddings
