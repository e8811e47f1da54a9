"""An index is never the truth: whatever goes wrong with it, it is made again before it answers."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from service.domain import Embeddings
from service.errors import ModelMismatch, StorageUnavailable
from service.galleries.base import Neighbours, Numbers
from service.galleries.exact import ExactIndex
from service.galleries.shelf import References, Shelf, Tally
from tests.service.galleries.made_up import MODEL, OTHER_MODEL, vectors


def references(*numbers: int) -> References:
    """Each of a subject of its own, whose key is ten times the number."""
    return References(MODEL, np.array(numbers), np.array(numbers) * 10, vectors(100)[list(numbers)])


class Kept:
    """Stands for the records: what it holds is what there is; `fault` is raised instead while there is one."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = numbers
        self.fault: Exception | None = None
        self.loads = 0

    def load(self) -> References | None:
        self.loads += 1
        if self.fault:
            raise self.fault
        return references(*self.numbers) if self.numbers else None


class Fragile(ExactIndex):
    """Changes by half and then fails, as often as it is told."""

    faults = 0

    def _fail(self) -> None:
        if Fragile.faults:
            Fragile.faults -= 1
            raise RuntimeError("the index broke")

    def add(self, numbers: Numbers, embeddings: Embeddings) -> None:
        super().add(numbers, embeddings)
        self._fail()

    def remove(self, numbers: Numbers) -> int:
        removed = super().remove(numbers[:1])
        self._fail()
        return removed + super().remove(numbers[1:])


def found(shelf: Shelf) -> list[int]:
    (row,), _ = shelf.search(vectors(100)[1:2], 100, MODEL)
    return sorted(one.number for one in row)


def test_a_shelf_is_empty_until_it_is_filled() -> None:
    kept = Kept(1, 2)
    shelf = Shelf(kept.load, ExactIndex)
    assert len(shelf) == 0
    assert found(shelf) == []
    assert shelf.tally() == Tally(0, 0)
    assert kept.loads == 0
    shelf.rebuild()
    assert found(shelf) == [1, 2]
    assert shelf.tally() == Tally(2, 3)


def test_the_last_face_that_goes_takes_the_model_along() -> None:
    shelf = Shelf(Kept().load, ExactIndex)
    shelf.add(references(1, 2))
    with pytest.raises(ModelMismatch):
        shelf.search(vectors(1), 1, OTHER_MODEL)
    shelf.remove([1, 2])
    assert shelf.search(vectors(1), 1, OTHER_MODEL) == ([[]], 0)


@pytest.mark.parametrize("faults", [1, 2])
def test_an_index_that_fails_at_a_change_is_made_again(faults: int) -> None:
    kept = Kept(1, 2, 3)
    shelf = Shelf(kept.load, Fragile)
    shelf.rebuild()
    kept.numbers = (1, 2, 3, 4, 5)
    Fragile.faults = faults
    shelf.add(references(4, 5))
    assert found(shelf) == [1, 2, 3, 4, 5]
    kept.numbers = (3, 4, 5)
    Fragile.faults = faults
    shelf.remove([1, 2])
    assert found(shelf) == [3, 4, 5]
    assert shelf.tally() == Tally(3, 12)


def test_a_change_that_the_index_has_already_is_no_harm() -> None:
    """A search may make the index again between a commit and its change."""
    kept = Kept(1, 2)
    shelf = Shelf(kept.load, ExactIndex)
    shelf.rebuild()
    shelf.add(references(1, 2))
    assert found(shelf) == [1, 2]
    shelf.remove([7])
    assert found(shelf) == [1, 2]


def test_nothing_is_answered_from_an_index_that_could_not_be_made_again() -> None:
    kept = Kept(1, 2)
    shelf = Shelf(kept.load, Fragile)
    shelf.rebuild()
    kept.numbers = (1, 2, 3)
    kept.fault = StorageUnavailable()
    Fragile.faults = 1
    shelf.add(references(3))
    for _ in range(2):
        with pytest.raises(StorageUnavailable):
            found(shelf)
    kept.fault = None
    assert found(shelf) == [1, 2, 3]


def test_an_index_is_made_again_once_for_all_who_wait_for_it() -> None:
    kept = Kept(1, 2)
    kept.fault = StorageUnavailable()
    shelf = Shelf(kept.load, ExactIndex)
    with pytest.raises(StorageUnavailable):
        shelf.rebuild()
    kept.fault, kept.loads = None, 0
    everybody = threading.Barrier(4)

    def search(_turn: int) -> list[int]:
        everybody.wait(10)
        return found(shelf)

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(search, range(4))) == [[1, 2]] * 4
    assert kept.loads == 1


@pytest.mark.parametrize("fault", [MemoryError(), RuntimeError(), ValueError()])
def test_records_that_make_no_index_are_unavailable(fault: Exception) -> None:
    kept = Kept(1)
    kept.fault = fault
    shelf = Shelf(kept.load, ExactIndex)
    with pytest.raises(StorageUnavailable) as refusal:
        shelf.rebuild()
    assert refusal.value.__cause__ is fault


def test_a_search_looks_further_until_every_probe_has_its_subjects() -> None:
    asked: list[int] = []

    class Counting(ExactIndex):
        def search(self, probes: Embeddings, k: int) -> Neighbours:
            asked.append(k)
            return super().search(probes, k)

    shelf = Shelf(Kept().load, Counting)
    crowd = np.repeat(vectors(1), 90, axis=0)
    shelf.add(References(MODEL, np.arange(90), np.ones(90, np.int64), crowd))
    shelf.add(References(MODEL, np.arange(90, 100), np.arange(90, 100), vectors(10, seed=1)))
    (row,), _ = shelf.search(vectors(1), 3, MODEL)
    assert len(row) == 3
    assert asked == [12, 48, 192]
