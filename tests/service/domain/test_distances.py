import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.distances import MAX_SQ_L2, paired_squared_l2, plain_l2, squared_l2, unit
from service.domain.embedding import Embeddings


def random_embeddings(n: int, seed: int = 0) -> Embeddings:
    return unit(np.random.default_rng(seed).normal(size=(n, 128)).astype(np.float32))


def test_squared_l2_is_the_sum_of_squared_differences() -> None:
    a, b = random_embeddings(5), random_embeddings(7, seed=1)
    expected = ((a[:, np.newaxis].astype(np.float64) - b) ** 2).sum(axis=2)
    distances = squared_l2(a, b)
    assert distances.dtype == np.float32
    np.testing.assert_allclose(distances, expected, atol=2e-6)


def test_the_distances_of_pairs_are_those_of_the_table_of_all_distances() -> None:
    a, b = random_embeddings(6), random_embeddings(6, seed=1)
    distances = paired_squared_l2(a, b)
    assert distances.dtype == np.float32
    np.testing.assert_allclose(distances, np.diag(squared_l2(a, b)), atol=2e-6)


def test_the_distance_is_0_for_equal_vectors_and_4_for_opposite_vectors() -> None:
    a = random_embeddings(50)
    for same, opposite in (
        (np.diag(squared_l2(a, a)), np.diag(squared_l2(a, -a))),
        (paired_squared_l2(a, a), paired_squared_l2(a, -a)),
    ):
        assert same.min() >= 0.0
        assert opposite.max() <= MAX_SQ_L2
        np.testing.assert_allclose(same, 0.0, atol=2e-6)
        np.testing.assert_allclose(opposite, 4.0, atol=2e-6)


def test_no_vectors_give_no_distances() -> None:
    assert squared_l2(random_embeddings(0), random_embeddings(3)).shape == (0, 3)
    assert paired_squared_l2(random_embeddings(0), random_embeddings(0)).shape == (0,)


@pytest.mark.parametrize("shape", [(128,), (3, 128), (2, 3, 128)])
def test_unit_keeps_the_directions_and_makes_the_lengths_1(shape: tuple[int, ...]) -> None:
    vectors = np.random.default_rng(0).normal(size=shape).astype(np.float32) * 7
    unit_vectors = unit(vectors)
    assert unit_vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(unit_vectors, axis=-1), 1.0, atol=1e-6)
    np.testing.assert_allclose(unit_vectors * np.linalg.norm(vectors, axis=-1, keepdims=True), vectors, rtol=1e-4)


@given(angle=st.floats(0.0, np.pi))
def test_plain_l2_agrees_with_the_angle_between_the_vectors(angle: float) -> None:
    a, b = np.array([1.0, 0.0]), np.array([np.cos(angle), np.sin(angle)])
    sq_l2 = float(((a - b) ** 2).sum())
    assert plain_l2(sq_l2) == pytest.approx(2 * np.sin(angle / 2), abs=1e-9)
