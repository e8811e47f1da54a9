"""The index of a large collection is built and rewritten in the background, while it is searched and changed."""

import threading
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from numpy.typing import NDArray

from service.domain.errors import IndexBuilding, StorageLost, StorageUnavailable
from service.gallery.base import EmbeddingModel, FaceNumbers, References
from service.gallery.indexes.base import NoSnapshot
from service.gallery.indexes.exact import ExactIndex
from service.gallery.indexes.segments.segmented import SegmentedIndex
from service.gallery.indexes.segments.snapshot import SnapshotFile, SnapshotFolder
from service.gallery.records.statements.faces import FaceOwner
from service.gallery.search.background import Background
from service.gallery.search.in_memory import collection_index
from service.gallery.search.in_memory.collection_index import CollectionIndex
from tests.service.gallery.indexes.stored_vectors import StoredVectors
from tests.service.gallery.random_faces import MODEL, make_embeddings

CREATE = partial(SegmentedIndex, exact_faces=100, segment_faces=1_000)
WAIT_S = 60.0
PROBES = make_embeddings(10, seed=5)


class SlowRecords(StoredVectors):
    """Records whose embeddings are read only while `may_read` is set. If `error` is set, they raise it."""

    def __init__(self) -> None:
        super().__init__()
        self.subjects: dict[int, int] = {}
        self.may_read = threading.Event()
        self.may_read.set()
        self.error: Exception | None = None

    def list(self) -> tuple[EmbeddingModel, FaceNumbers, NDArray[np.int64]] | None:
        if self.error:
            raise self.error
        numbers = np.array(sorted(self.by_number), np.int64)
        return MODEL, numbers, np.array([self.subjects[number] for number in numbers.tolist()], np.int64)

    def read(self, numbers: FaceNumbers) -> tuple[FaceNumbers, NDArray[np.float32]]:
        assert self.may_read.wait(WAIT_S)
        return super().read(numbers)

    def owners(self, _numbers: Collection[int]) -> dict[int, FaceOwner]:
        return {}

    def new_faces(self, first: int, count: int) -> References:
        """Store new faces, three of each subject."""
        numbers = np.arange(first, first + count)
        new = References(MODEL, numbers, numbers // 3, make_embeddings(count, seed=first))
        self.store(numbers, new.embeddings)
        self.subjects |= dict(zip(numbers.tolist(), new.subjects.tolist(), strict=True))
        return new

    def require_same(self, index: CollectionIndex) -> None:
        """A search finds the nearest subjects of all stored faces, and each by its nearest face."""
        exact = ExactIndex(MODEL.dimension, super().read)
        exact.fill(np.array(sorted(self.by_number), np.int64))
        expected = exact.search(PROBES, len(exact))
        found, searched = index.search(PROBES, 5, MODEL)
        assert searched == len(index) == len(exact)
        for row, numbers, distances in zip(found, expected.numbers, expected.distances, strict=True):
            subjects = np.array([self.subjects[number] for number in numbers.tolist()])
            first = np.sort(np.unique(subjects, return_index=True)[1])[:5]
            assert [face.number for face in row] == numbers[first].tolist()
            assert [face.subject for face in row] == subjects[first].tolist()
            np.testing.assert_allclose([face.distance for face in row], distances[first], atol=1e-6)


@pytest.fixture(autouse=True)
def small_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collection_index, "SMALL_FACES", 50)


@pytest.fixture
def records() -> SlowRecords:
    return SlowRecords()


@pytest.fixture
def background() -> Background:
    return Background()


def test_searches_are_refused_until_a_large_index_is_built_and_changes_are_not_lost(
    records: SlowRecords, background: Background
) -> None:
    records.new_faces(1, 500)
    index = CollectionIndex(records, CREATE, background, NoSnapshot, 500)
    records.may_read.clear()
    with suppress(IndexBuilding):
        index.require_built()
    for _ in range(2):
        with pytest.raises(IndexBuilding):
            index.search(PROBES, 1, MODEL)
        with pytest.raises(IndexBuilding):
            index.require_built()
    index.add(records.new_faces(501, 20))
    records.delete(np.arange(1, 11))
    index.remove(list(range(1, 11)))
    records.subjects[100] = 7
    index.move([100], 7)
    assert len(index) == 510
    records.may_read.set()
    assert background.wait(WAIT_S)
    index.require_built()
    records.require_same(index)


def test_a_large_index_that_cannot_be_built_says_why_and_is_tried_again(
    records: SlowRecords, background: Background
) -> None:
    records.new_faces(1, 500)
    records.error = StorageLost("a stored embedding is damaged")
    index = CollectionIndex(records, CREATE, background, NoSnapshot, 500)
    with suppress(IndexBuilding):
        index.require_built()
    assert background.wait(WAIT_S)
    with pytest.raises(StorageLost):
        index.require_built()
    records.error = None
    with pytest.raises(IndexBuilding):
        index.search(PROBES, 1, MODEL)
    assert background.wait(WAIT_S)
    records.require_same(index)


def test_a_large_index_is_not_forgotten(records: SlowRecords, background: Background) -> None:
    records.new_faces(1, 500)
    index = CollectionIndex(records, CREATE, background, NoSnapshot, 500)
    with suppress(IndexBuilding):
        index.require_built()
    assert background.wait(WAIT_S)
    index.discard_if_idle(0)
    records.require_same(index)


def test_a_rewrite_keeps_no_search_and_no_change_waiting(records: SlowRecords, background: Background) -> None:
    index = CollectionIndex(records, CREATE, background, NoSnapshot)
    records.may_read.clear()
    index.add(records.new_faces(1, 300))
    index.remove([1])
    records.delete(np.array([1]))
    assert not background.wait(0.05)
    records.require_same(index)  # the new faces are still searched exactly, so nothing is read
    records.may_read.set()
    assert background.wait(WAIT_S)
    records.require_same(index)


def test_searches_run_while_segments_are_made_and_merged(records: SlowRecords, background: Background) -> None:
    index = CollectionIndex(records, CREATE, background, NoSnapshot)
    index.add(records.new_faces(1, 200))
    ended = threading.Event()

    def search() -> int:
        count = 0
        while not ended.is_set():
            found, searched = index.search(PROBES, 3, MODEL)
            assert searched >= 200
            assert all(len(row) == 3 for row in found)
            assert all(np.diff([face.distance for face in row]).min() >= 0 for row in found)
            count += 1
        return count

    with ThreadPoolExecutor(3) as threads:
        searching = [threads.submit(search) for _ in range(3)]
        for first in range(201, 1201, 20):
            index.add(records.new_faces(first, 20))
            gone = records.new_faces(100_000 + first, 1)
            index.add(gone)
            records.delete(gone.numbers)
            index.remove(gone.numbers.tolist())
        ended.set()
        assert all(future.result(WAIT_S) for future in searching)
    assert background.wait(WAIT_S)
    records.require_same(index)


def test_a_rewrite_that_fails_leaves_the_index_as_it_was(
    records: SlowRecords, background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = CollectionIndex(records, CREATE, background, NoSnapshot)
    unknown = References(MODEL, np.arange(1, 201), np.arange(1, 201), make_embeddings(200))
    monkeypatch.setattr(records, "read", _fail)
    index.add(unknown)
    assert background.wait(WAIT_S)
    (row,), searched = index.search(make_embeddings(1), 1, MODEL)
    assert (row[0].number, searched) == (1, 200)


def _fail(_numbers: FaceNumbers) -> tuple[FaceNumbers, NDArray[np.float32]]:
    raise StorageUnavailable


def test_work_that_was_begun_ends_when_the_service_stops(records: SlowRecords, background: Background) -> None:
    records.new_faces(1, 500)
    index = CollectionIndex(records, CREATE, background, NoSnapshot, 500)
    records.may_read.clear()
    with suppress(IndexBuilding):
        index.require_built()
    stopping = threading.Thread(target=background.stop)
    stopping.start()
    records.may_read.set()
    stopping.join(WAIT_S)
    assert not stopping.is_alive()
    background.begin(lambda: pytest.fail("begun after the end"))
    assert background.wait(0)


def test_few_subjects_with_many_faces_are_all_found(records: SlowRecords, background: Background) -> None:
    index = CollectionIndex(records, ExactIndex, background, NoSnapshot)
    numbers = np.arange(1, 3001)
    near = make_embeddings(3000, seed=1) * 0.01 + PROBES[0]
    embeddings = np.asarray(near / np.linalg.norm(near, axis=1, keepdims=True), np.float32)
    embeddings[-2:] = -PROBES[:2]
    subjects = np.ones(3000, np.int64)
    subjects[-2:] = [2, 3]
    index.add(References(MODEL, numbers, subjects, embeddings))
    found, _ = index.search(PROBES, 100, MODEL)
    assert [sorted(face.subject for face in row) for row in found] == [[1, 2, 3]] * 10
    assert found[0][0].subject == 1
    assert found[0][-1].number == 2999
    index.remove([3000])
    found, _ = index.search(PROBES, 100, MODEL)
    assert [sorted(face.subject for face in row) for row in found] == [[1, 2]] * 10


def test_an_index_that_grew_large_is_not_discarded(records: SlowRecords, background: Background) -> None:
    index = CollectionIndex(records, CREATE, background, NoSnapshot)
    index.add(records.new_faces(1, 60))
    index.discard_if_idle(0)
    assert index.checksum() is not None


@pytest.fixture
def snapshot(tmp_path: Path) -> SnapshotFile:
    return SnapshotFolder(tmp_path, "gallery").file_of(1)


def start(records: SlowRecords, background: Background, snapshot: SnapshotFile) -> CollectionIndex:
    """Return the index of a large collection when it is built and its snapshot is written."""
    index = CollectionIndex(records, CREATE, background, lambda: snapshot, len(records.by_number))
    with suppress(IndexBuilding):
        index.require_built()
    assert background.wait(WAIT_S)
    return index


def test_the_next_start_reads_the_snapshot_and_not_the_embeddings(
    records: SlowRecords, background: Background, snapshot: SnapshotFile
) -> None:
    records.new_faces(1, 500)
    start(records, background, snapshot)
    with mock.patch.object(records, "read", wraps=records.read) as read:
        started_again = start(records, background, snapshot)
        read.assert_not_called()
    records.require_same(started_again)


def test_the_snapshot_follows_deletions_and_goes_with_its_collection(
    records: SlowRecords, background: Background, snapshot: SnapshotFile
) -> None:
    records.new_faces(1, 500)
    index = start(records, background, snapshot)
    before = snapshot.path.read_bytes()
    records.delete(np.array([9]))
    index.remove([9])
    index.save()
    assert background.wait(WAIT_S)
    assert snapshot.path.read_bytes() != before
    index.forget()
    assert background.wait(WAIT_S)
    assert not snapshot.path.exists()


@pytest.mark.parametrize("last", ["in the background", "at the end"])
def test_the_snapshot_goes_when_all_faces_are_deleted(
    records: SlowRecords, background: Background, snapshot: SnapshotFile, last: str
) -> None:
    records.new_faces(1, 500)
    index = start(records, background, snapshot)
    assert snapshot.path.exists()
    assert not index.has_stale_snapshot
    records.delete(np.arange(1, 501))
    index.remove(list(range(1, 501)))
    assert index.has_stale_snapshot
    if last == "at the end":
        index.end()
    else:
        index.save()
        assert background.wait(WAIT_S)
    assert not snapshot.path.exists()
    assert not index.has_stale_snapshot


def test_an_error_of_the_disk_does_not_fail_a_deletion(
    records: SlowRecords, background: Background, snapshot: SnapshotFile
) -> None:
    records.new_faces(1, 500)
    index = start(records, background, snapshot)
    with mock.patch.object(Path, "unlink", side_effect=PermissionError(13, "Permission denied")):
        index.forget()
        assert background.wait(WAIT_S)
    assert index.has_stale_snapshot  # the next start removes it


@pytest.mark.parametrize("when", ["in the background", "at the end"])
def test_a_collection_that_grew_large_gets_a_snapshot(
    records: SlowRecords, background: Background, snapshot: SnapshotFile, when: str
) -> None:
    index = CollectionIndex(records, CREATE, background, lambda: snapshot)
    index.add(records.new_faces(1, 500))
    assert background.wait(WAIT_S)
    assert not snapshot.path.exists()
    if when == "at the end":
        index.end()
    else:
        index.save()
        assert background.wait(WAIT_S)
    assert snapshot.path.exists()
    assert not index.has_stale_snapshot
    with mock.patch.object(SnapshotFile, "write") as write:
        index.save()
        assert background.wait(WAIT_S)
        index.end()
    write.assert_not_called()
