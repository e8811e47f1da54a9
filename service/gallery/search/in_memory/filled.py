"""An index with at least one face, and the subject of each of its faces."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from service.domain.distances import Distances
from service.domain.embedding import Embeddings
from service.domain.errors import StorageUnavailable
from service.domain.waiting import require_waiting_client
from service.gallery.base import EmbeddingModel, FaceChecksum, FaceNumbers, References
from service.gallery.indexes.base import CreateIndex, LoadSnapshot, Neighbours, StoredFaces, VectorIndex
from service.gallery.search.in_memory.face_subjects import FaceSubjects

ENOUGH_FACES = 200
"""If so many faces are of too few subjects, a search compares all faces."""
MOST_FACES = 2_000
"""The most faces that are searched for a probe where the index does not hold the embeddings. Each is read from the
records, so more would take too long."""
PROBES_AT_ONCE = 16
"""How many probes are compared with all faces at once."""


@dataclass(frozen=True, slots=True)
class NearestFace:
    """The nearest face of a subject. subject: its key in the records. distance: squared L2."""

    number: int
    subject: int
    distance: float


@dataclass(frozen=True, slots=True, eq=False)
class FilledIndex:
    """An index with at least one face, so its model is known."""

    model: EmbeddingModel
    index: VectorIndex
    subjects: FaceSubjects

    @classmethod
    def of(cls, new: References, index: VectorIndex) -> Self:
        """Add the first faces to an empty index."""
        index.add(new.numbers, new.embeddings)
        return cls(new.model, index, FaceSubjects(new.numbers, new.subjects))

    @classmethod
    def read(cls, stored: StoredFaces, create_index: CreateIndex, load: LoadSnapshot) -> Self | None:
        """Build an index from the records, and from its snapshot if it has one. None if there is no face.

        load: fills an empty index from its snapshot, and returns whether that was possible. Raises StorageUnavailable.
        """
        try:
            listed = stored.list()
            if listed is None:
                return None
            model, numbers, subjects = listed
            index = create_index(model.dimension, stored.read)
            if not load(index, numbers):
                index.fill(numbers)
            return cls(model, index, FaceSubjects(numbers, subjects))
        except (MemoryError, RuntimeError, ValueError) as error:
            raise StorageUnavailable from error

    def __len__(self) -> int:
        return len(self.subjects)

    @property
    def checksum(self) -> FaceChecksum:
        numbers = self.index.numbers
        return FaceChecksum(len(numbers), int(numbers.sum()), self.subjects.sum_of_subjects)

    def add(self, new: References) -> None:
        """Add faces. Those that are here already are left out. Raises ModelMismatch if another model made them."""
        new.model.require_same(self.model)
        added = self.subjects.unknown(new.numbers)
        self.index.add(new.numbers[added], new.embeddings[added])
        self.subjects.add(new.numbers[added], new.subjects[added])

    def remove(self, numbers: FaceNumbers) -> None:
        """Remove faces. Unknown numbers are ignored."""
        self.index.remove(numbers)
        self.subjects.remove(numbers)

    def search(self, probes: Embeddings, k_subjects: int) -> list[list[NearestFace]]:
        """Find the nearest subjects of each probe, each by its nearest face.

        The nearest faces can all be of one subject, so the number of faces to search is not known in advance. More and
        more are searched. If ENOUGH_FACES are not enough, all are compared. An index that does not hold the embeddings
        searches MOST_FACES. If these are of fewer subjects, fewer are found.
        """
        k_subjects = self.subjects.at_most(k_subjects)
        k_faces = 4 * k_subjects
        while True:
            nearest = self._search_faces(probes, k_subjects, k_faces)
            if k_faces >= len(self) or all(len(row) == k_subjects for row in nearest):
                return nearest
            if k_faces >= ENOUGH_FACES:
                return self._search_all_faces(probes, k_subjects)
            k_faces *= 4

    def _search_faces(self, probes: Embeddings, k_subjects: int, k_faces: int) -> list[list[NearestFace]]:
        require_waiting_client()
        neighbours = self.index.search(probes, k_faces)
        return _nearest_by_subject(neighbours, self.subjects.of(neighbours.numbers), k_subjects)

    def _search_all_faces(self, probes: Embeddings, k_subjects: int) -> list[list[NearestFace]]:
        rows: list[list[NearestFace]] = []
        for start in range(0, len(probes), PROBES_AT_ONCE):
            require_waiting_client()
            some = probes[start : start + PROBES_AT_ONCE]
            compared = self.index.distances(some)
            if compared is None:
                rows += self._search_faces(some, k_subjects, MOST_FACES)
                continue
            numbers, distances = compared
            neighbours = _nearest_of_each_subject(numbers, self.subjects.of(numbers), distances)
            rows += _nearest_by_subject(neighbours, self.subjects.of(neighbours.numbers), k_subjects)
        return rows


def _nearest_by_subject(
    neighbours: Neighbours, subjects: NDArray[np.int64], k_subjects: int
) -> list[list[NearestFace]]:
    """Return the nearest face of each subject among the neighbours, at most k. subjects: (n, k), of the neighbours."""
    rows = []
    for row, numbers, distances in zip(subjects, neighbours.numbers, neighbours.distances, strict=True):
        first_of_subject = np.sort(np.unique(row, return_index=True)[1])[:k_subjects]
        rows.append([NearestFace(int(numbers[i]), int(row[i]), float(distances[i])) for i in first_of_subject])
    return rows


def _nearest_of_each_subject(numbers: FaceNumbers, subjects: NDArray[np.int64], distances: Distances) -> Neighbours:
    """Return the nearest face of every subject, nearest first.

    numbers, subjects: (m,), of all faces. distances: (n, m).
    """
    by_subject = np.argsort(subjects, kind="stable")
    grouped = distances[:, by_subject]
    starts = np.flatnonzero(np.diff(subjects[by_subject], prepend=-1))
    smallest = np.minimum.reduceat(grouped, starts, axis=1)
    sizes = np.diff(starts, append=len(numbers))
    is_smallest = grouped == np.repeat(smallest, sizes, axis=1)
    places = np.where(is_smallest, np.arange(len(numbers)), len(numbers))
    nearest = by_subject[np.minimum.reduceat(places, starts, axis=1)]
    order = np.argsort(smallest, axis=1, kind="stable")
    return Neighbours(np.take_along_axis(numbers[nearest], order, axis=1), np.take_along_axis(smallest, order, axis=1))
