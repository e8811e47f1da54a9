"""The index of a collection. After any failure it is built again from the records before it is searched."""

import threading
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from service.domain.embedding import Embeddings
from service.domain.errors import ModelMismatch, StorageUnavailable
from service.gallery.base import EmbeddingModel, FaceChecksum, FaceNumbers, References
from service.gallery.indexes.base import CreateIndex, Neighbours, NoSnapshot
from service.gallery.indexes.exact import ExactIndex
from service.gallery.records.statements.faces import FaceOwner
from service.gallery.search.background import Background
from service.gallery.search.in_memory.collection_index import CollectionIndex
from tests.service.gallery.random_faces import MODEL, OTHER_MODEL, make_embeddings


def references(*numbers: int) -> References:
    """Return faces with these numbers. Each has its own subject, with the key 10 * number."""
    keys = np.array(numbers, np.int64)
    return References(MODEL, keys, keys * 10, make_embeddings(100)[keys])


class FakeRecords:
    """Fake records that hold the faces `numbers`. If `error` is set, `list` raises it."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = numbers
        self.error: Exception | None = None
        self.loads = 0

    def list(self) -> tuple[EmbeddingModel, FaceNumbers, NDArray[np.int64]] | None:
        self.loads += 1
        if self.error:
            raise self.error
        listed = references(*self.numbers)
        return (listed.model, listed.numbers, listed.subjects) if self.numbers else None

    def read(self, numbers: FaceNumbers) -> tuple[FaceNumbers, Embeddings]:
        found = numbers[np.isin(numbers, self.numbers)]
        return found, make_embeddings(100)[found]

    def owners(self, _numbers: Collection[int]) -> dict[int, FaceOwner]:
        return {}


def index_of(records: FakeRecords, create_index: CreateIndex = ExactIndex) -> CollectionIndex:
    return CollectionIndex(records, create_index, Background(), NoSnapshot, len(records.numbers))


class FailingIndex(ExactIndex):
    """Makes half of a change and then fails, in the next `failures` changes."""

    failures = 0

    def _fail(self) -> None:
        if FailingIndex.failures:
            FailingIndex.failures -= 1
            raise RuntimeError("the index broke")

    def add(self, numbers: FaceNumbers, embeddings: Embeddings) -> None:
        super().add(numbers, embeddings)
        self._fail()

    def remove(self, numbers: FaceNumbers) -> int:
        removed = super().remove(numbers[:1])
        self._fail()
        return removed + super().remove(numbers[1:])


def found_numbers(index: CollectionIndex) -> list[int]:
    (row,), _ = index.search(make_embeddings(100)[1:2], 100, MODEL)
    return sorted(face.number for face in row)


def found_subjects(index: CollectionIndex) -> dict[int, int]:
    """Return the subject of each found face."""
    (row,), _ = index.search(make_embeddings(100)[1:2], 100, MODEL)
    return {face.number: face.subject for face in row}


def test_a_moved_face_is_found_under_its_new_subject() -> None:
    index = index_of(FakeRecords(1, 2, 3))
    index.build()
    index.move([2], 30)
    assert index.checksum() == FaceChecksum(3, 6, 70)
    index.move([1], 70)
    assert found_subjects(index)[1] == 70
    index.remove([1])
    assert set(found_subjects(index).values()) == {30}


def test_a_move_in_an_empty_index_changes_nothing() -> None:
    index = index_of(FakeRecords())
    index.build()
    index.move([1], 10)
    assert index.checksum() == FaceChecksum(0, 0, 0)


def test_an_index_is_built_when_it_is_first_used() -> None:
    records = FakeRecords(1, 2)
    index = index_of(records)
    assert len(index) == 2
    assert index.checksum() is None
    assert records.loads == 0
    assert found_numbers(index) == [1, 2]
    assert index.checksum() == FaceChecksum(2, 3, 30)
    assert found_numbers(index) == [1, 2]
    assert records.loads == 1


def test_changes_before_the_index_is_built_are_counted_and_read_from_the_records() -> None:
    records = FakeRecords(1, 2)
    index = index_of(records)
    records.numbers = (2, 3, 4)
    index.add(references(3, 4))
    index.remove([1])
    index.move([2], 20)
    assert len(index) == 3
    assert records.loads == 0
    assert found_numbers(index) == [2, 3, 4]


def test_an_index_that_was_not_used_for_a_while_is_forgotten_and_built_again() -> None:
    records = FakeRecords(1, 2)
    index = index_of(records)
    assert found_numbers(index) == [1, 2]
    index.discard_if_idle(60)
    assert index.checksum() == FaceChecksum(2, 3, 30)
    index.discard_if_idle(0)
    assert index.checksum() is None
    assert len(index) == 2
    assert found_numbers(index) == [1, 2]
    assert records.loads == 2


def test_an_index_whose_last_face_is_removed_accepts_another_model() -> None:
    index = index_of(FakeRecords())
    index.build()
    index.add(references(1, 2))
    with pytest.raises(ModelMismatch):
        index.search(make_embeddings(1), 1, OTHER_MODEL)
    index.remove([1, 2])
    assert index.search(make_embeddings(1), 1, OTHER_MODEL) == ([[]], 0)


@pytest.mark.parametrize("failures", [1, 2])
def test_an_index_that_fails_in_a_change_is_built_again(failures: int) -> None:
    records = FakeRecords(1, 2, 3)
    index = index_of(records, FailingIndex)
    index.build()
    records.numbers = (1, 2, 3, 4, 5)
    FailingIndex.failures = failures
    index.add(references(4, 5))
    assert found_numbers(index) == [1, 2, 3, 4, 5]
    records.numbers = (3, 4, 5)
    FailingIndex.failures = failures
    index.remove([1, 2])
    assert found_numbers(index) == [3, 4, 5]
    assert index.checksum() == FaceChecksum(3, 12, 120)


def test_a_change_that_the_index_already_has_changes_nothing() -> None:
    """A search can rebuild the index between the commit of a change and the change of the index."""
    records = FakeRecords(1, 2)
    index = index_of(records)
    index.build()
    index.add(references(1, 2))
    assert found_numbers(index) == [1, 2]
    index.remove([7])
    assert found_numbers(index) == [1, 2]
    for _ in range(2):
        index.move([2, 7], 10)
        assert found_subjects(index) == {1: 10}


def test_a_search_fails_until_the_failed_index_is_built_again() -> None:
    records = FakeRecords(1, 2)
    index = index_of(records, FailingIndex)
    index.build()
    records.numbers = (1, 2, 3)
    records.error = StorageUnavailable()
    FailingIndex.failures = 1
    index.add(references(3))
    for _ in range(2):
        with pytest.raises(StorageUnavailable):
            found_numbers(index)
    records.error = None
    assert found_numbers(index) == [1, 2, 3]


def test_an_index_is_built_once_for_all_waiting_searches() -> None:
    records = FakeRecords(1, 2)
    records.error = StorageUnavailable()
    index = index_of(records)
    with pytest.raises(StorageUnavailable):
        index.build()
    records.error, records.loads = None, 0
    barrier = threading.Barrier(4)

    def search(_call: int) -> list[int]:
        barrier.wait(10)
        return found_numbers(index)

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(search, range(4))) == [[1, 2]] * 4
    assert records.loads == 1


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError(), ValueError()])
def test_an_error_while_the_index_is_built_is_a_storage_error(error: Exception) -> None:
    records = FakeRecords(1)
    records.error = error
    index = index_of(records)
    with pytest.raises(StorageUnavailable) as raised:
        index.build()
    assert raised.value.__cause__ is error


def test_a_search_takes_more_faces_until_every_probe_has_its_subjects() -> None:
    searched_faces: list[int] = []

    class CountingIndex(ExactIndex):
        def search(self, probes: Embeddings, k: int) -> Neighbours:
            searched_faces.append(k)
            return super().search(probes, k)

    index = index_of(FakeRecords(), CountingIndex)
    index.build()
    equal_embeddings = np.repeat(make_embeddings(1), 90, axis=0)
    index.add(References(MODEL, np.arange(90), np.ones(90, np.int64), equal_embeddings))
    index.add(References(MODEL, np.arange(90, 100), np.arange(90, 100), make_embeddings(10, seed=1)))
    (row,), _ = index.search(make_embeddings(1), 3, MODEL)
    assert len(row) == 3
    assert searched_faces == [12, 48, 192]
