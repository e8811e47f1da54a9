"""One collection in memory: its index, whose face each number is, and the lock between searching and writing.

Nothing here is the truth. Whatever goes wrong, it is made again from the records before it answers once more.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Self

import numpy as np
import structlog
from numpy.typing import NDArray

from service.domain import Embeddings
from service.errors import StorageUnavailable
from service.galleries.base import BuildIndex, ModelRef, Neighbours, Numbers, VectorIndex
from service.galleries.lock import ReadersWriterLock

LOG = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class References:
    """Faces as an index takes them.

    numbers: (n,) int64, rising. subjects: (n,) int64, the records' key of each face's subject.
    embeddings: (n, d) float32, unit length.
    """

    model: ModelRef
    numbers: Numbers
    subjects: NDArray[np.int64]
    embeddings: Embeddings


@dataclass(frozen=True, slots=True)
class Nearest:
    """The nearest face of a subject. distance: squared L2."""

    number: int
    distance: float


@dataclass(frozen=True, slots=True)
class Tally:
    """What the records and an index must agree on: how many faces there are, and the sum of their numbers."""

    faces: int
    sum_of_numbers: int


@dataclass(slots=True, eq=False)
class _Bound:
    """An index that holds at least one face, and is therefore bound to a model."""

    model: ModelRef
    index: VectorIndex
    numbers: Numbers
    subjects: NDArray[np.int64]

    @classmethod
    def of(cls, references: References, build: BuildIndex) -> Self:
        index = build(references.model.dimension)
        index.add(references.numbers, references.embeddings)
        return cls(references.model, index, references.numbers, references.subjects)

    def add(self, new: References) -> None:
        self.index.add(new.numbers, new.embeddings)
        self.numbers = np.concatenate([self.numbers, new.numbers])
        self.subjects = np.concatenate([self.subjects, new.subjects])

    def remove(self, numbers: Numbers) -> None:
        self.index.remove(numbers)
        stays = ~np.isin(self.numbers, numbers)
        self.numbers, self.subjects = self.numbers[stays], self.subjects[stays]

    def search(self, probes: Embeddings, k_subjects: int) -> list[list[Nearest]]:
        """Looks at more and more faces until every probe has its subjects, or all faces were seen."""
        faces = 4 * k_subjects
        while True:
            found = self.index.search(probes, faces)
            nearest = self._by_subject(found, k_subjects)
            if faces >= len(self.numbers) or all(len(row) == k_subjects for row in nearest):
                return nearest
            faces *= 4

    def _by_subject(self, found: Neighbours, k_subjects: int) -> list[list[Nearest]]:
        subjects = self.subjects[np.searchsorted(self.numbers, found.numbers)]
        rows = []
        for row, numbers, distances in zip(subjects, found.numbers, found.distances, strict=True):
            first = np.sort(np.unique(row, return_index=True)[1])[:k_subjects]
            rows.append([Nearest(int(numbers[i]), float(distances[i])) for i in first])
        return rows


class Shelf:
    """Empty until `rebuild` or `add`.

    Safe to search from several threads; whoever writes the records keeps `add` and `remove` in their order.
    """

    def __init__(self, load: Callable[[], References | None], build: BuildIndex) -> None:
        self._load = load
        self._build = build
        self._lock = ReadersWriterLock()
        self._stale = False
        self._bound: _Bound | None = None

    def __len__(self) -> int:
        bound = self._bound
        return len(bound.numbers) if bound else 0

    def tally(self) -> Tally:
        """Of the numbers that the index itself holds."""
        with self._fresh() as bound:
            numbers = bound.index.numbers if bound else np.empty(0, np.int64)
            return Tally(len(numbers), int(numbers.sum()))

    def model(self) -> ModelRef | None:
        """What made its faces' embeddings, None where it has none. Raises StorageUnavailable."""
        with self._fresh() as bound:
            return bound.model if bound else None

    def search(self, probes: Embeddings, k_subjects: int, model: ModelRef) -> tuple[list[list[Nearest]], int]:
        """For each probe the nearest face of up to `k_subjects` subjects, nearest first, and the number of faces.

        model: what is to have made the faces. Raises ModelMismatch or StorageUnavailable.
        """
        with self._fresh() as bound:
            if bound is None:
                return [[] for _ in probes], 0
            model.check(bound.model)
            return bound.search(probes, k_subjects), len(bound.numbers)

    def add(self, new: References) -> None:
        """After the records have them."""
        with self._changing():
            if self._bound is None:
                self._bound = _Bound.of(new, self._build)
            else:
                self._bound.add(new)

    def remove(self, numbers: Sequence[int]) -> None:
        """After the records have forgotten them."""
        with self._changing():
            if self._bound is not None:
                self._bound.remove(np.asarray(numbers, np.int64))
                self._bound = self._bound if len(self._bound.numbers) else None

    def rebuild(self) -> None:
        """Makes the index from the records. Raises StorageUnavailable, and then nothing is answered from it."""
        with self._lock.writing():
            self._rebuild()

    def _refresh(self) -> None:
        with self._lock.writing():
            if self._stale:  # who waited for the same finds it done
                self._rebuild()

    def _rebuild(self) -> None:
        self._stale = True
        try:
            references = self._load()
            self._bound = _Bound.of(references, self._build) if references else None
        except (MemoryError, RuntimeError, ValueError) as error:
            raise StorageUnavailable from error
        self._stale = False

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """The records are ahead already, so what fails here is mended and not reported to the caller."""
        with self._lock.writing():
            try:
                yield
            except Exception as error:  # noqa: BLE001  # whatever an index raises, it may have changed by half
                LOG.warning("index_rebuilt", error=type(error).__name__)
                with suppress(StorageUnavailable):  # the next who asks tries again, and is told
                    self._rebuild()

    @contextmanager
    def _fresh(self) -> Iterator[_Bound | None]:
        if self._stale:
            self._refresh()
        with self._lock.reading():
            if self._stale:
                raise StorageUnavailable
            yield self._bound
