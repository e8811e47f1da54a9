"""The rotation of vectors in an index is random, orthogonal, and the same with every version of NumPy."""

import numpy as np
import pytest

from service.domain.distances import squared_l2
from service.gallery.indexes.base import read_nothing
from service.gallery.indexes.exact import ExactIndex
from service.gallery.indexes.rotated import RotatedIndex
from service.gallery.indexes.rotation import ROWS_AT_ONCE, derive_rotation, rotate
from tests.service.gallery.random_faces import make_embeddings

SECRET = bytes(range(32))
FIRST_ROW_OF_THREE = [-0.9419812755055919, -0.30895830779944844, 0.13120991059580653]


@pytest.mark.parametrize("dimension", [1, 2, 16, 128, 512])
def test_a_rotation_is_orthogonal(dimension: int) -> None:
    rotation = derive_rotation(SECRET, dimension)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(dimension), atol=1e-12)


def test_a_rotation_depends_on_nothing_but_its_secret_and_dimension() -> None:
    """These numbers must never change: an index that was kept would be useless."""
    np.testing.assert_allclose(derive_rotation(SECRET, 3)[0], FIRST_ROW_OF_THREE, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(derive_rotation(SECRET, 128), derive_rotation(SECRET, 128))
    assert np.abs(derive_rotation(SECRET, 128) - derive_rotation(bytes(32), 128)).max() > 0.1


def test_the_numbers_of_rotations_are_spread_as_those_of_random_rotations() -> None:
    """The number of row 1 and column 1 of a random rotation in three dimensions is uniform in [-1, 1] (Archimedes)."""
    corner = np.sort([derive_rotation(number.to_bytes(32), 3)[0, 0] for number in range(2000)])
    expected = np.linspace(-1, 1, len(corner))
    assert np.abs(corner - expected).max() < 0.1  # Kolmogorov and Smirnov: 0.087 once in 1,000 secrets


def test_distances_stay() -> None:
    vectors = make_embeddings(ROWS_AT_ONCE + 10)
    rotated = rotate(vectors, derive_rotation(SECRET, 16))
    assert rotated.dtype == np.float32
    np.testing.assert_allclose(squared_l2(rotated[:20], rotated), squared_l2(vectors[:20], vectors), rtol=0, atol=1e-5)
    assert np.abs(rotated - vectors).sum(axis=1).min() > 0.1


def test_a_rotated_index_finds_what_its_index_finds() -> None:
    vectors, probes = make_embeddings(300), make_embeddings(20, seed=1)
    numbers = np.arange(300, dtype=np.int64)
    plain, rotated = ExactIndex(16), RotatedIndex(ExactIndex, derive_rotation(SECRET, 16), read_nothing)
    for index in (plain, rotated):
        index.add(numbers, vectors)
        assert index.remove(numbers[::3]) == 100
    found, expected = rotated.search(probes, 10), plain.search(probes, 10)
    np.testing.assert_array_equal(found.numbers, expected.numbers)
    np.testing.assert_allclose(found.distances, expected.distances, rtol=0, atol=1e-5)
    assert (len(rotated), rotated.numbers.tolist()) == (200, plain.numbers.tolist())


def test_a_rotated_index_refuses_other_shapes() -> None:
    rotated = RotatedIndex(ExactIndex, derive_rotation(SECRET, 16), read_nothing)
    for vectors in (np.ones((2, 8), np.float32), np.ones((3, 16), np.float32)):
        with pytest.raises(ValueError, match=r"embeddings|mismatch"):
            rotated.add(np.arange(2), vectors)
    assert len(rotated) == 0
