"""The index of one collection in memory, and the lock between its searches and its changes.

The records are the truth. If anything goes wrong here, the index is built again from the records before it is searched.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Self

import numpy as np
import structlog
from numpy.typing import NDArray

from service.domain.embedding import Embeddings
from service.domain.errors import StorageUnavailable
from service.domain.waiting import require_waiting_client
from service.gallery.base import EmbeddingModel, FaceChecksum, FaceNumbers, References
from service.gallery.indexes.base import CreateIndex, Neighbours, VectorIndex
from service.gallery.indexes.readers_writer_lock import ReadersWriterLock

LOG = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class NearestFace:
    """The nearest face of a subject. subject: its key in the records. distance: squared L2."""

    number: int
    subject: int
    distance: float


@dataclass(slots=True, eq=False)
class _FilledIndex:
    """An index with at least one face, so its model is known.

    numbers, subjects: (n,) int64, the number of each face and the key of its subject, in the order of the numbers.
    """

    model: EmbeddingModel
    index: VectorIndex
    numbers: FaceNumbers
    subjects: NDArray[np.int64]

    @classmethod
    def of(cls, references: References, create_index: CreateIndex) -> Self:
        index = create_index(references.model.dimension)
        index.add(references.numbers, references.embeddings)
        return cls(references.model, index, references.numbers, references.subjects)

    def add(self, new: References) -> None:
        self.index.add(new.numbers, new.embeddings)
        self.numbers = np.concatenate([self.numbers, new.numbers])
        self.subjects = np.concatenate([self.subjects, new.subjects])

    def remove(self, numbers: FaceNumbers) -> None:
        self.index.remove(numbers)
        stays = ~np.isin(self.numbers, numbers)
        self.numbers, self.subjects = self.numbers[stays], self.subjects[stays]

    def move(self, numbers: FaceNumbers, subject: int) -> None:
        self.subjects = np.where(np.isin(self.numbers, numbers), subject, self.subjects)

    def search(self, probes: Embeddings, k_subjects: int) -> list[list[NearestFace]]:
        """Search more and more faces until every probe has k subjects, or all faces were searched.

        The nearest faces can all be of one subject, so the number of faces to search is not known in advance.
        """
        k_faces = 4 * k_subjects
        while True:
            require_waiting_client()
            neighbours = self.index.search(probes, k_faces)
            nearest = self._nearest_by_subject(neighbours, k_subjects)
            if k_faces >= len(self.numbers) or all(len(row) == k_subjects for row in nearest):
                return nearest
            k_faces *= 4

    def _nearest_by_subject(self, neighbours: Neighbours, k_subjects: int) -> list[list[NearestFace]]:
        subjects = self.subjects[np.searchsorted(self.numbers, neighbours.numbers)]
        rows = []
        for row, numbers, distances in zip(subjects, neighbours.numbers, neighbours.distances, strict=True):
            first_of_subject = np.sort(np.unique(row, return_index=True)[1])[:k_subjects]
            rows.append([NearestFace(int(numbers[i]), int(row[i]), float(distances[i])) for i in first_of_subject])
        return rows


class CollectionIndex:
    """The index of one collection. It is empty until `rebuild` or `add` is called.

    Several threads may search at the same time. The caller makes changes in the order of the records.

    load_references: reads the references of the collection from the records. None if it has no face.
    """

    def __init__(self, load_references: Callable[[], References | None], create_index: CreateIndex) -> None:
        self._load_references = load_references
        self._create_index = create_index
        self._lock = ReadersWriterLock()
        self._stale = False
        self._filled: _FilledIndex | None = None

    def __len__(self) -> int:
        filled = self._filled
        return len(filled.numbers) if filled else 0

    def checksum(self) -> FaceChecksum:
        """Return the checksum of the faces that the index holds. Raises StorageUnavailable."""
        with self._current() as filled:
            if filled is None:
                return FaceChecksum(0, 0, 0)
            numbers = filled.index.numbers
            return FaceChecksum(len(numbers), int(numbers.sum()), int(filled.subjects.sum()))

    def model(self) -> EmbeddingModel | None:
        """Return the model that made the embeddings. None if there is no face. Raises StorageUnavailable."""
        with self._current() as filled:
            return filled.model if filled else None

    def search(self, probes: Embeddings, k_subjects: int, model: EmbeddingModel) -> tuple[list[list[NearestFace]], int]:
        """Find up to `k_subjects` subjects for each probe, nearest first, each by its nearest face.

        model: the model that must have made the references.
        Returns also how many faces were searched. Raises ModelMismatch or StorageUnavailable.
        """
        with self._current() as filled:
            if filled is None:
                return [[] for _ in probes], 0
            model.require_same(filled.model)
            return filled.search(probes, k_subjects), len(filled.numbers)

    def add(self, new: References) -> None:
        """Add faces that the records already hold."""
        with self._updating():
            if self._filled is None:
                self._filled = _FilledIndex.of(new, self._create_index)
            else:
                self._filled.add(new)

    def remove(self, numbers: Sequence[int]) -> None:
        """Remove faces that the records no longer hold."""
        with self._updating():
            if self._filled is not None:
                self._filled.remove(np.asarray(numbers, np.int64))
                self._filled = self._filled if len(self._filled.numbers) else None

    def move(self, numbers: Sequence[int], subject: int) -> None:
        """Give faces to another subject, as the records did. subject: its key in the records."""
        with self._updating():
            if self._filled is not None:
                self._filled.move(np.asarray(numbers, np.int64), subject)

    def rebuild(self) -> None:
        """Build the index from the records. Raises StorageUnavailable, and then the index refuses every search."""
        with self._lock.writing():
            self._rebuild()

    def _rebuild_if_stale(self) -> None:
        with self._lock.writing():
            if self._stale:  # another thread may have rebuilt it while this one waited for the lock
                self._rebuild()

    def _rebuild(self) -> None:
        self._stale = True
        try:
            references = self._load_references()
            self._filled = _FilledIndex.of(references, self._create_index) if references else None
        except (MemoryError, RuntimeError, ValueError) as error:
            raise StorageUnavailable from error
        self._stale = False

    @contextmanager
    def _updating(self) -> Iterator[None]:
        """Hold the lock for a change. If the change fails, the index is rebuilt and the caller gets no error.

        The records already hold the change, so the request of the caller has succeeded.
        """
        with self._lock.writing():
            try:
                yield
            except Exception as error:  # noqa: BLE001  # any error can leave the index changed in part
                LOG.warning("index_rebuilt", error=type(error).__name__)
                with suppress(StorageUnavailable):  # the next search tries again, and reports the error
                    self._rebuild()

    @contextmanager
    def _current(self) -> Iterator[_FilledIndex | None]:
        """Hold the lock for a search of an index that agrees with the records. None if there is no face."""
        if self._stale:
            self._rebuild_if_stale()
        with self._lock.reading():
            if self._stale:
                raise StorageUnavailable
            yield self._filled
