"""The agreement of an index with exact search is measured on the faces of its collection."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import numpy as np
import pytest

from service.domain.distances import squared_l2
from service.domain.embedding import Embeddings
from service.gallery.base import FaceNumbers
from service.gallery.indexes.base import Neighbours, VectorIndex
from service.gallery.indexes.flat import FlatIndex
from service.gallery.indexes.segments import agreement
from service.gallery.indexes.segments.agreement import AgreementMeter
from service.gallery.indexes.segments.segmented import SegmentedIndex
from service.gallery.search_values import Agreement
from tests.service.gallery.indexes.stored_vectors import StoredVectors
from tests.service.gallery.random_faces import MODEL, make_embeddings

COUNT = 900


class ForgetfulIndex(FlatIndex):
    """An index that is said to be not exact."""

    is_exact = False


class EvenIndex(ForgetfulIndex):
    """It finds the faces with an even number only."""

    def search(self, probes: Embeddings, k: int) -> Neighbours:
        found = super().search(probes, len(self))
        even_first = np.argsort(found.numbers % 2, axis=1, kind="stable")[:, :k]
        return Neighbours(
            np.take_along_axis(found.numbers, even_first, axis=1),
            np.take_along_axis(found.distances, even_first, axis=1),
        )


class HeldIndex:
    """An index that nobody else uses."""

    def __init__(self, index: VectorIndex | None) -> None:
        self.index = index

    @contextmanager
    def use(self) -> Iterator[VectorIndex | None]:
        yield self.index


@pytest.fixture
def stored() -> StoredVectors:
    stored = StoredVectors()
    stored.store(np.arange(1, COUNT + 1), make_embeddings(COUNT))
    return stored


def measure(stored: StoredVectors, index: VectorIndex) -> Agreement:
    meter = AgreementMeter(stored.read, HeldIndex(index).use)
    meter.measure()
    assert meter.last is not None
    return meter.last


def filled(stored: StoredVectors, numbers: FaceNumbers, index: VectorIndex) -> VectorIndex:
    index.add(*stored.read(numbers))
    return index


def test_an_index_that_finds_every_face_agrees(stored: StoredVectors) -> None:
    result = measure(stored, filled(stored, np.arange(1, COUNT + 1), ForgetfulIndex(MODEL.dimension)))
    assert (result.faces, result.found, result.share) == (COUNT, COUNT, 1.0)


def test_each_face_whose_nearest_one_is_not_found_counts(stored: StoredVectors) -> None:
    result = measure(stored, filled(stored, np.arange(1, COUNT + 1), EvenIndex(MODEL.dimension)))
    distances = squared_l2(make_embeddings(COUNT), make_embeddings(COUNT))
    np.fill_diagonal(distances, np.inf)
    nearest = 1 + distances.argmin(axis=1)
    assert (result.faces, result.found) == (COUNT, int(np.count_nonzero(nearest % 2 == 0)))


def test_a_compressed_index_is_measured_on_a_sample(stored: StoredVectors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreement, "SAMPLE_FACES", 200)
    index = SegmentedIndex(MODEL.dimension, stored.read, exact_faces=100, segment_faces=300)
    index.fill(np.arange(1, COUNT + 1))
    result = measure(stored, index)
    assert result.faces == 200
    assert result.share >= 0.99


def test_copies_of_a_face_are_equally_near(stored: StoredVectors) -> None:
    copies = np.repeat(make_embeddings(1), 50, axis=0)
    stored.store(np.arange(2000, 2050), copies)
    assert measure(stored, filled(stored, np.arange(2000, 2050), ForgetfulIndex(MODEL.dimension))).share == 1.0


def test_faces_that_are_deleted_meanwhile_do_not_count(stored: StoredVectors) -> None:
    index = filled(stored, np.arange(1, COUNT + 1), ForgetfulIndex(MODEL.dimension))

    def read_then_delete(numbers: FaceNumbers) -> tuple[FaceNumbers, Embeddings]:
        found = stored.read(numbers)
        index.remove(np.arange(1, 101))
        return found

    meter = AgreementMeter(read_then_delete, HeldIndex(index).use)
    meter.measure()
    assert meter.last is not None
    assert meter.last.share == 1.0
    assert 0 < meter.last.faces < COUNT - 100


@pytest.mark.parametrize("index", [None, FlatIndex(MODEL.dimension), ForgetfulIndex(MODEL.dimension)])
def test_without_an_index_that_is_not_exact_and_has_faces_nothing_is_measured(
    stored: StoredVectors, index: VectorIndex | None
) -> None:
    meter = AgreementMeter(stored.read, HeldIndex(index).use)
    meter.measure()
    assert meter.last is None


def test_it_is_due_at_once_then_every_hour_and_soon_after_a_rewrite() -> None:
    stored = StoredVectors()
    meter = AgreementMeter(stored.read, HeldIndex(None).use)
    assert meter.is_due
    with mock.patch("service.gallery.indexes.segments.agreement.time") as time:
        time.monotonic.side_effect = [100.0, 110.0]  # it takes 10 s
        meter.measure()
    for seconds, is_rewritten, is_due in [
        (110, False, False),
        (3709, False, False),
        (3710, False, True),
        (309, True, False),
        (310, True, True),
    ]:
        meter.is_rewritten = is_rewritten
        with mock.patch("service.gallery.indexes.segments.agreement.time") as time:
            time.monotonic.return_value = float(seconds)
            assert meter.is_due == is_due
