"""The subject of each face in an index."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from service.gallery.base import FaceNumbers
from service.gallery.indexes.growing import GrowingRows

REMOVED = -1
"""Below all keys of subjects."""
REMOVED_SHARE = 0.1
"""The rows are written again when more than this share of them was removed."""
COUNTED_SUBJECTS = 1_000
"""Up to so many subjects, the faces of each are counted. A search asks for fewer subjects."""


class FaceSubjects:
    """The numbers of the faces, ascending, and the key of the subject of each. It is changed in place.

    numbers, subjects: (n,) int64, in the same order. numbers ascend.
    """

    def __init__(self, numbers: FaceNumbers, subjects: NDArray[np.int64]) -> None:
        self._write(numbers, subjects)

    def __len__(self) -> int:
        return len(self._numbers) - self._removed

    @property
    def sum_of_subjects(self) -> int:
        """The sum of the keys of the subjects, each as often as it has faces."""
        return int(self._subjects.rows.sum()) - REMOVED * self._removed

    def of(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the keys of the subjects of these faces, in the same shape. All must be known."""
        subjects: NDArray[np.int64] = self._subjects.rows[np.searchsorted(self._numbers.rows, numbers)]
        return subjects

    def unknown(self, numbers: FaceNumbers) -> NDArray[np.bool_]:
        """Return which of these faces are not here, (n,) bool."""
        unknown = np.ones(len(numbers), np.bool_)
        if self._are_higher(numbers):
            return unknown
        unknown[np.isin(numbers, self._numbers.rows[self._rows(numbers)])] = False
        return unknown

    def add(self, numbers: FaceNumbers, subjects: NDArray[np.int64]) -> None:
        """Add faces that are not here. The records give ascending numbers, and then nothing is copied."""
        self._count(subjects, 1)
        if not self._are_higher(numbers):
            stays = self._subjects.rows != REMOVED
            numbers = np.concatenate([self._numbers.rows[stays], numbers])
            subjects = np.concatenate([self._subjects.rows[stays], subjects])
            order = np.argsort(numbers)
            self._write(numbers[order], subjects[order])
        else:
            order = np.argsort(numbers)
            self._numbers.append(numbers[order])
            self._subjects.append(subjects[order])

    def remove(self, numbers: FaceNumbers) -> None:
        """Remove faces. Unknown numbers are ignored."""
        rows = self._rows(numbers)
        self._count(self._subjects.rows[rows], -1)
        self._subjects.rows[rows] = REMOVED
        self._removed += len(rows)
        if self._removed > REMOVED_SHARE * len(self._numbers):
            stays = self._subjects.rows != REMOVED
            self._write(self._numbers.rows[stays], self._subjects.rows[stays])

    def move(self, numbers: FaceNumbers, subject: int) -> None:
        """Give faces to another subject. Unknown numbers are ignored."""
        rows = self._rows(numbers)
        self._count(self._subjects.rows[rows], -1)
        self._subjects.rows[rows] = subject
        self._count(self._subjects.rows[rows], 1)

    def at_most(self, k_subjects: int) -> int:
        """Return how many subjects a search can find if it asks for so many."""
        if self._faces_of is None and k_subjects > self._fewest_subjects:
            self._count_again()
        return k_subjects if self._faces_of is None else min(k_subjects, len(self._faces_of))

    def _are_higher(self, numbers: FaceNumbers) -> bool:
        """Return whether all of these numbers are above those that are here."""
        return not len(numbers) or not len(self._numbers) or bool(numbers.min() > self._numbers.rows[-1])

    def _rows(self, numbers: FaceNumbers) -> NDArray[np.int64]:
        """Return the rows of those of these faces that are here."""
        rows = np.searchsorted(self._numbers.rows, numbers)
        rows = np.unique(rows[rows < len(self._numbers)])
        here: NDArray[np.bool_] = np.isin(self._numbers.rows[rows], numbers) & (self._subjects.rows[rows] != REMOVED)
        return rows[here]

    def _write(self, numbers: FaceNumbers, subjects: NDArray[np.int64]) -> None:
        self._numbers, self._subjects = GrowingRows(np.int64), GrowingRows(np.int64)
        self._numbers.append(numbers)
        self._subjects.append(subjects)
        self._removed = 0
        self._count_again()

    def _count_again(self) -> None:
        """Count the subjects. If there are many, only their number is kept: to count the faces of each takes memory."""
        subjects, faces = np.unique(self._subjects.rows[self._subjects.rows != REMOVED], return_counts=True)
        self._fewest_subjects = len(subjects)
        is_counted = len(subjects) <= COUNTED_SUBJECTS
        self._faces_of = Counter(dict(zip(subjects.tolist(), faces.tolist(), strict=True))) if is_counted else None

    def _count(self, subjects: NDArray[np.int64], change: int) -> None:
        """Count faces of these subjects that are added (1) or removed (-1)."""
        if self._faces_of is None:
            self._fewest_subjects += min(change, 0) * len(subjects)
            return
        for subject in subjects.tolist():
            self._faces_of[subject] += change
            if not self._faces_of[subject]:
                del self._faces_of[subject]
        if len(self._faces_of) > COUNTED_SUBJECTS:
            self._fewest_subjects, self._faces_of = len(self._faces_of), None
