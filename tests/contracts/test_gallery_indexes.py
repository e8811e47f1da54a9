"""What every index must do, held against the plainest: a matrix and NumPy."""

import numpy as np
import pytest

from service.galleries import INDEXES, index_builder
from service.galleries.base import VectorIndex
from service.galleries.exact import ExactIndex
from tests.service.galleries.made_up import MODEL, vectors

FACES = vectors(200)
NUMBERS = np.arange(1, 201, dtype=np.int64) * 3


@pytest.fixture(params=[*INDEXES, "IDMap2,Flat"])
def index(request: pytest.FixtureRequest) -> VectorIndex:
    return index_builder(request.param)(MODEL.dimension)


@pytest.fixture
def full(index: VectorIndex) -> VectorIndex:
    index.add(NUMBERS, FACES)
    return index


def test_an_empty_index_finds_nothing(index: VectorIndex) -> None:
    found = index.search(FACES[:3], 5)
    assert len(index) == 0
    assert found.numbers.shape == found.distances.shape == (3, 0)


@pytest.mark.parametrize("probes", [1, 7, 40])
def test_a_search_finds_what_the_yardstick_finds(full: VectorIndex, probes: int) -> None:
    yardstick = ExactIndex(MODEL.dimension)
    yardstick.add(NUMBERS, FACES)
    asked = vectors(probes, seed=1)
    found, expected = full.search(asked, 10), yardstick.search(asked, 10)
    np.testing.assert_array_equal(found.numbers, expected.numbers)
    np.testing.assert_allclose(found.distances, expected.distances, atol=1e-4)


def test_distances_are_squared_l2_nearest_first(full: VectorIndex) -> None:
    probe = vectors(1, seed=1)
    found = full.search(probe, 200)
    expected = ((FACES[np.searchsorted(NUMBERS, found.numbers[0])] - probe) ** 2).sum(axis=1)
    np.testing.assert_allclose(found.distances[0], expected, atol=1e-4)
    assert (np.diff(found.distances[0]) >= 0).all()


def test_a_face_is_at_no_distance_from_itself_and_its_opposite_at_four(full: VectorIndex) -> None:
    itself = full.search(FACES, 1)
    np.testing.assert_array_equal(itself.numbers[:, 0], NUMBERS)
    assert (itself.distances >= 0).all()
    assert (itself.distances < 1e-5).all()
    opposite = full.search(-FACES, 200).distances[:, -1]
    np.testing.assert_allclose(opposite, 4, atol=1e-4)
    assert (opposite <= 4).all()


def test_more_than_there_is_is_not_padded(full: VectorIndex) -> None:
    found = full.search(FACES[:2], 10_000)
    assert found.numbers.shape == found.distances.shape == (2, 200)
    np.testing.assert_array_equal(np.sort(found.numbers[0]), NUMBERS)


def test_the_index_knows_its_numbers(full: VectorIndex) -> None:
    full.remove(NUMBERS[::2])
    np.testing.assert_array_equal(np.sort(full.numbers), NUMBERS[1::2])
    assert len(full) == 100


def test_a_number_that_is_there_is_refused_and_nothing_is_added(full: VectorIndex) -> None:
    with pytest.raises(ValueError, match="already"):
        full.add(np.array([1, NUMBERS[5]]), FACES[:2])
    with pytest.raises(ValueError, match="already"):
        full.add(np.array([1, 1]), FACES[:2])
    assert len(full) == 200


@pytest.mark.parametrize("shape", [(1, 16), (2, 15), (2, 17), (32,)])
def test_embeddings_that_do_not_fit_are_refused_and_nothing_is_added(
    index: VectorIndex, shape: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match="embeddings"):
        index.add(np.array([1, 2]), np.ones(shape, np.float32))
    assert len(index) == 0


@pytest.mark.parametrize("shape", [(2, 15), (2, 17), (16,)])
def test_probes_that_do_not_fit_are_refused(full: VectorIndex, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="embeddings"):
        full.search(np.ones(shape, np.float32), 1)


def test_what_is_removed_is_found_no_more(full: VectorIndex) -> None:
    assert full.remove(NUMBERS[:50]) == 50
    found = full.search(FACES[:50], 200)
    assert found.numbers.shape == (50, 150)
    assert not np.isin(found.numbers, NUMBERS[:50]).any()


def test_removing_what_is_not_there_changes_nothing(full: VectorIndex) -> None:
    full.remove(NUMBERS[:1])
    assert full.remove(np.array([NUMBERS[0], 1, 2])) == 0
    assert full.remove(np.empty(0, np.int64)) == 0
    assert len(full) == 199


def test_a_number_may_come_back_with_another_vector(full: VectorIndex) -> None:
    full.remove(NUMBERS[:1])
    full.add(NUMBERS[:1], -FACES[:1])
    assert full.search(-FACES[:1], 1).numbers[0, 0] == NUMBERS[0]
    assert len(full) == 200
