"""The segmented index, with small limits. The reference is the exact index, which gets the same changes."""

import threading
import time
from functools import partial

import numpy as np
import pytest

from service.gallery.base import FaceNumbers
from service.gallery.indexes.base import CreateIndex, VectorIndex
from service.gallery.indexes.exact import ExactIndex
from service.gallery.indexes.growing import GrowingRows
from service.gallery.indexes.rotated import RotatedIndex
from service.gallery.indexes.rotation import derive_rotation
from service.gallery.indexes.segments import segmented
from service.gallery.indexes.segments.huge_pages import HUGE_PAGE_BYTES, use_huge_pages
from service.gallery.indexes.segments.segment import Segment
from service.gallery.indexes.segments.segmented import SegmentedIndex
from tests.service.gallery.indexes.stored_vectors import StoredVectors
from tests.service.gallery.random_faces import MODEL, make_embeddings

EXACT_FACES, SEGMENT_FACES = 100, 400
CREATE: CreateIndex = partial(SegmentedIndex, exact_faces=EXACT_FACES, segment_faces=SEGMENT_FACES)
PROBES = make_embeddings(20, seed=99)


def rewrite(index: VectorIndex) -> None:
    while index.needs_rewrite:
        index.begin_rewrite()()()


class TwoIndexes:
    """Makes the same changes in the stored vectors, in a segmented index and in an exact one."""

    def __init__(self, index: VectorIndex, stored: StoredVectors) -> None:
        self.index, self.stored = index, stored
        self.exact = ExactIndex(MODEL.dimension)
        self.next_number = 1

    def add(self, count: int) -> FaceNumbers:
        numbers = np.arange(self.next_number, self.next_number + count)
        embeddings = make_embeddings(count, seed=self.next_number)
        self.next_number += count
        self.stored.store(numbers, embeddings)
        for index in (self.index, self.exact):
            index.add(numbers, embeddings)
        return numbers

    def remove(self, numbers: FaceNumbers) -> None:
        self.stored.delete(numbers)
        assert self.index.remove(numbers) == self.exact.remove(numbers)

    def require_same(self) -> None:
        """The numbers, and the distances of all that is found, are those of the exact index, and so are the nearest."""
        assert len(self.index) == len(self.exact)
        np.testing.assert_array_equal(np.sort(self.index.numbers), np.sort(self.exact.numbers))
        found, expected = self.index.search(PROBES, 5), self.exact.search(PROBES, 5)
        assert found.numbers.shape == expected.numbers.shape
        np.testing.assert_array_equal(found.numbers, expected.numbers)
        np.testing.assert_allclose(found.distances, expected.distances, atol=1e-6)


@pytest.fixture
def stored() -> StoredVectors:
    return StoredVectors()


@pytest.fixture(params=["plain", "rotated"])
def both(request: pytest.FixtureRequest, stored: StoredVectors) -> TwoIndexes:
    if request.param == "plain":
        return TwoIndexes(CREATE(MODEL.dimension, stored.read), stored)
    return TwoIndexes(RotatedIndex(CREATE, derive_rotation(b"secret", MODEL.dimension), stored.read), stored)


@pytest.mark.parametrize("seed", range(4))
def test_after_every_random_change_it_finds_what_the_exact_index_finds(both: TwoIndexes, seed: int) -> None:
    random = np.random.default_rng(seed)
    for _ in range(60):
        if random.random() < 0.6:
            both.add(int(random.integers(1, 60)))
        else:
            held = both.exact.numbers
            both.remove(np.sort(random.choice(held, int(random.integers(0, len(held) // 4 + 1)), replace=False)))
        both.require_same()
        if random.random() < 0.5:
            rewrite(both.index)
            both.require_same()


def test_a_rewrite_keeps_the_changes_that_are_made_meanwhile(both: TwoIndexes) -> None:
    numbers = both.add(150)
    assert both.index.needs_rewrite
    begun = both.index.begin_rewrite()
    both.remove(numbers[:10])
    both.add(30)
    switch = begun()
    both.require_same()
    both.remove(numbers[10:20])
    both.add(3)
    switch()
    both.require_same()
    both.remove(numbers[20:40])
    rewrite(both.index)
    both.require_same()


def test_a_face_that_is_removed_and_added_again_during_a_rewrite_has_its_new_embedding(
    stored: StoredVectors,
) -> None:
    both = TwoIndexes(CREATE(MODEL.dimension, stored.read), stored)
    numbers = both.add(150)
    begun = both.index.begin_rewrite()
    both.remove(numbers[:1])
    again = make_embeddings(1, seed=1234)
    stored.store(numbers[:1], again)
    for index in (both.index, both.exact):
        index.add(numbers[:1], again)
    begun()()
    both.require_same()
    assert both.index.search(again, 1).numbers[0, 0] == numbers[0]


def test_an_index_that_is_filled_from_the_records_is_the_same(stored: StoredVectors) -> None:
    both = TwoIndexes(CREATE(MODEL.dimension, stored.read), stored)
    both.add(1000)
    both.remove(np.arange(1, 100))
    both.index = CREATE(MODEL.dimension, stored.read)
    both.index.fill(np.sort(both.exact.numbers))
    both.require_same()
    assert isinstance(both.index, SegmentedIndex)
    assert both.index.segment_sizes == [301, 300, 300]


def test_up_to_the_limit_it_is_exact_and_reads_nothing(stored: StoredVectors) -> None:
    both = TwoIndexes(CREATE(MODEL.dimension, stored.read), stored)
    both.add(EXACT_FACES)
    assert not both.index.needs_rewrite
    compared = both.index.distances(PROBES)
    assert compared is not None
    assert compared[1].shape == (20, EXACT_FACES)
    both.require_same()
    assert stored.reads == 0
    both.add(1)
    rewrite(both.index)
    assert both.index.distances(PROBES) is None
    both.require_same()


def test_it_is_exact_again_when_most_faces_are_removed(both: TwoIndexes) -> None:
    numbers = both.add(300)
    rewrite(both.index)
    both.remove(numbers[EXACT_FACES // 2 :])
    begun = both.index.begin_rewrite()
    both.remove(numbers[:5])
    begun()()
    assert both.index.distances(PROBES) is not None
    both.require_same()
    both.remove(numbers[5:])
    both.require_same()


def test_a_search_finds_enough_faces_when_all_near_ones_were_removed(both: TwoIndexes) -> None:
    both.add(1000)
    rewrite(both.index)
    both.remove(np.sort(both.exact.search(PROBES[:1], 700).numbers[0]))
    both.require_same()
    assert both.index.search(PROBES, 10_000).numbers.shape == (20, 300)


def test_new_faces_are_merged_so_that_there_are_few_segments(stored: StoredVectors) -> None:
    index = SegmentedIndex(MODEL.dimension, stored.read, exact_faces=EXACT_FACES, segment_faces=100_000)
    both = TwoIndexes(index, stored)
    for _ in range(100):
        both.add(20)
        rewrite(index)
    assert len(index.segment_sizes) <= 8
    assert sum(index.segment_sizes) >= 1980
    both.require_same()


def test_a_few_new_faces_become_a_segment_only_after_a_while(
    stored: StoredVectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = TwoIndexes(CREATE(MODEL.dimension, stored.read), stored)
    both.add(200)
    rewrite(both.index)
    few = int(segmented.FEW_SHARE * EXACT_FACES)
    both.add(few + 1)
    assert not both.index.needs_rewrite
    monkeypatch.setattr(segmented, "REST_S", 0.0)
    assert both.index.needs_rewrite
    rewrite(both.index)
    assert isinstance(both.index, SegmentedIndex)
    assert both.index.segment_sizes == [200, few + 1]
    both.require_same()
    both.add(few)
    assert not both.index.needs_rewrite


def test_huge_pages_change_nothing_in_an_array() -> None:
    for bytes_ in (0, 100, 2 * HUGE_PAGE_BYTES, 5 * HUGE_PAGE_BYTES + 100):
        array = np.random.default_rng(0).integers(0, 256, bytes_, np.uint8)
        before = array.copy()
        use_huge_pages(array)
        np.testing.assert_array_equal(array, before)


def test_a_number_in_a_segment_is_refused(stored: StoredVectors) -> None:
    both = TwoIndexes(CREATE(MODEL.dimension, stored.read), stored)
    numbers = both.add(200)
    rewrite(both.index)
    with pytest.raises(ValueError, match="already"):
        both.index.add(numbers[:1], PROBES[:1])
    assert len(both.index) == 200


def test_nothing_of_a_removed_face_stays_in_the_codes(stored: StoredVectors) -> None:
    """FAISS packs the 4-bit codes of 32 faces into a block. Blocks of removed faces only are the same."""
    numbers, embeddings = np.arange(1, 201), make_embeddings(200)
    stored.store(numbers, embeddings)
    segment = Segment.build(MODEL.dimension, numbers, stored.read)
    blocks, codes = segment.code_blocks.copy(), segment.refinement_codes.copy()
    assert (blocks[0] != blocks[1]).any()
    assert segment.erase(numbers[:64]) == 64
    assert segment.erase(numbers[:64]) == 0
    np.testing.assert_array_equal(segment.code_blocks[0], segment.code_blocks[1])
    np.testing.assert_array_equal(segment.code_blocks[2:], blocks[2:])
    assert (segment.refinement_codes[:64] == 255).all()
    np.testing.assert_array_equal(segment.refinement_codes[64:], codes[64:])
    assert not np.isin(segment.search(embeddings, 136, 136).numbers, numbers[:64]).any()


def test_nothing_of_a_removed_row_stays_in_the_room_for_more() -> None:
    rows = GrowingRows(np.float32, MODEL.dimension)
    rows.append(make_embeddings(100))
    for count in (90, 10, 0):
        rows.keep_first(count)
        room = rows.rows.base
        assert room is not None
        assert not room[count:].any()
        np.testing.assert_array_equal(rows.rows, make_embeddings(100)[:count])
        assert count == 90 or len(room) < 100


def test_a_segment_takes_few_bytes_for_a_face(stored: StoredVectors) -> None:
    numbers = np.arange(1, 6401)
    stored.store(numbers, make_embeddings(6400))
    segment = Segment.build(MODEL.dimension, numbers, stored.read)
    assert segment.code_blocks.size == 6400 * MODEL.dimension // 4
    assert segment.refinement_codes.size == 6400 * MODEL.dimension


def test_a_lone_probe_finds_the_same_as_many_together(stored: StoredVectors) -> None:
    index = CREATE(MODEL.dimension, stored.read)
    numbers, embeddings = np.arange(1, 1001), make_embeddings(1000)
    stored.store(numbers, embeddings)
    index.fill(numbers)
    together = index.search(PROBES, 5)
    for row, probe in enumerate(PROBES):
        alone = index.search(probe[np.newaxis], 5)
        np.testing.assert_array_equal(alone.numbers[0], together.numbers[row])
        np.testing.assert_allclose(alone.distances[0], together.distances[row], atol=1e-6)


def test_after_an_error_no_search_of_a_segment_goes_on(stored: StoredVectors, monkeypatch: pytest.MonkeyPatch) -> None:
    index = CREATE(MODEL.dimension, stored.read)
    numbers = np.arange(1, 1001)
    stored.store(numbers, make_embeddings(1000))
    index.fill(numbers)
    running = threading.Semaphore(0)
    ended: list[int] = []

    def search(segment: Segment, *_arguments: object) -> None:
        if running.acquire(blocking=False):  # another one is running
            raise MemoryError
        running.release()
        time.sleep(0.2)
        ended.append(len(segment))

    monkeypatch.setattr(Segment, "search", search)
    with pytest.raises(MemoryError):
        index.search(PROBES[:1], 5)
    before = len(ended)
    assert before
    time.sleep(0.3)
    assert len(ended) == before
