"""What every index must do. The reference is the exact index, which is a matrix in NumPy."""

import numpy as np
import pytest

from service.gallery.indexes import INDEXES, index_factory
from service.gallery.indexes.base import VectorIndex, read_nothing
from service.gallery.indexes.exact import ExactIndex
from tests.service.gallery.random_faces import MODEL, make_embeddings

FACES = make_embeddings(200)
NUMBERS = np.arange(1, 201, dtype=np.int64) * 3


@pytest.fixture(params=[*INDEXES, "IDMap2,Flat"])
def index(request: pytest.FixtureRequest) -> VectorIndex:
    return index_factory(request.param)(MODEL.dimension, read_nothing)


@pytest.fixture
def filled_index(index: VectorIndex) -> VectorIndex:
    index.add(NUMBERS, FACES)
    return index


def test_an_empty_index_finds_nothing(index: VectorIndex) -> None:
    neighbours = index.search(FACES[:3], 5)
    assert len(index) == 0
    assert neighbours.numbers.shape == neighbours.distances.shape == (3, 0)


@pytest.mark.parametrize("probes", [1, 7, 40])
def test_a_search_finds_what_the_exact_index_finds(filled_index: VectorIndex, probes: int) -> None:
    exact_index = ExactIndex(MODEL.dimension)
    exact_index.add(NUMBERS, FACES)
    probe_embeddings = make_embeddings(probes, seed=1)
    neighbours, exact_neighbours = filled_index.search(probe_embeddings, 10), exact_index.search(probe_embeddings, 10)
    np.testing.assert_array_equal(neighbours.numbers, exact_neighbours.numbers)
    np.testing.assert_allclose(neighbours.distances, exact_neighbours.distances, atol=1e-4)


def test_distances_are_squared_l2_in_ascending_order(filled_index: VectorIndex) -> None:
    probe = make_embeddings(1, seed=1)
    neighbours = filled_index.search(probe, 200)
    expected = ((FACES[np.searchsorted(NUMBERS, neighbours.numbers[0])] - probe) ** 2).sum(axis=1)
    np.testing.assert_allclose(neighbours.distances[0], expected, atol=1e-4)
    assert (np.diff(neighbours.distances[0]) >= 0).all()


def test_the_distance_of_a_face_is_0_to_itself_and_4_to_its_opposite(filled_index: VectorIndex) -> None:
    nearest = filled_index.search(FACES, 1)
    np.testing.assert_array_equal(nearest.numbers[:, 0], NUMBERS)
    assert (nearest.distances >= 0).all()
    assert (nearest.distances < 1e-5).all()
    farthest_distances = filled_index.search(-FACES, 200).distances[:, -1]
    np.testing.assert_allclose(farthest_distances, 4, atol=1e-4)
    assert (farthest_distances <= 4).all()


def test_a_k_above_the_number_of_faces_returns_all_faces(filled_index: VectorIndex) -> None:
    neighbours = filled_index.search(FACES[:2], 10_000)
    assert neighbours.numbers.shape == neighbours.distances.shape == (2, 200)
    np.testing.assert_array_equal(np.sort(neighbours.numbers[0]), NUMBERS)


def test_the_index_lists_the_numbers_of_its_faces(filled_index: VectorIndex) -> None:
    filled_index.remove(NUMBERS[::2])
    np.testing.assert_array_equal(np.sort(filled_index.numbers), NUMBERS[1::2])
    assert len(filled_index) == 100


def test_an_existing_number_is_refused_and_nothing_is_added(filled_index: VectorIndex) -> None:
    with pytest.raises(ValueError, match="already"):
        filled_index.add(np.array([1, NUMBERS[5]]), FACES[:2])
    with pytest.raises(ValueError, match="already"):
        filled_index.add(np.array([1, 1]), FACES[:2])
    assert len(filled_index) == 200


@pytest.mark.parametrize("shape", [(1, 16), (2, 15), (2, 17), (32,)])
def test_embeddings_of_a_wrong_shape_are_refused_and_nothing_is_added(
    index: VectorIndex, shape: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match="embeddings"):
        index.add(np.array([1, 2]), np.ones(shape, np.float32))
    assert len(index) == 0


@pytest.mark.parametrize("shape", [(2, 15), (2, 17), (16,)])
def test_probes_of_a_wrong_shape_are_refused(filled_index: VectorIndex, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="embeddings"):
        filled_index.search(np.ones(shape, np.float32), 1)


def test_a_removed_face_is_not_found(filled_index: VectorIndex) -> None:
    assert filled_index.remove(NUMBERS[:50]) == 50
    neighbours = filled_index.search(FACES[:50], 200)
    assert neighbours.numbers.shape == (50, 150)
    assert not np.isin(neighbours.numbers, NUMBERS[:50]).any()


def test_removing_unknown_numbers_changes_nothing(filled_index: VectorIndex) -> None:
    filled_index.remove(NUMBERS[:1])
    assert filled_index.remove(np.array([NUMBERS[0], 1, 2])) == 0
    assert filled_index.remove(np.empty(0, np.int64)) == 0
    assert len(filled_index) == 199


def test_a_removed_number_can_be_added_again_with_another_embedding(filled_index: VectorIndex) -> None:
    filled_index.remove(NUMBERS[:1])
    filled_index.add(NUMBERS[:1], -FACES[:1])
    assert filled_index.search(-FACES[:1], 1).numbers[0, 0] == NUMBERS[0]
    assert len(filled_index) == 200
