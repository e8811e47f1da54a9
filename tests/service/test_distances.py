import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.distances import MAX_SQ_L2, paired_squared_l2, plain_l2, squared_l2, unit
from service.domain import Embeddings


def vectors(n: int, seed: int = 0) -> Embeddings:
    return unit(np.random.default_rng(seed).normal(size=(n, 128)).astype(np.float32))


def test_squared_l2_is_the_sum_of_squared_differences() -> None:
    a, b = vectors(5), vectors(7, seed=1)
    expected = ((a[:, np.newaxis].astype(np.float64) - b) ** 2).sum(axis=2)
    found = squared_l2(a, b)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_pairs_are_measured_as_the_table_measures_them() -> None:
    a, b = vectors(6), vectors(6, seed=1)
    found = paired_squared_l2(a, b)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.diag(squared_l2(a, b)), atol=2e-6)


def test_distances_go_from_0_for_the_same_to_4_for_the_opposite() -> None:
    a = vectors(50)
    for same, opposite in (
        (np.diag(squared_l2(a, a)), np.diag(squared_l2(a, -a))),
        (paired_squared_l2(a, a), paired_squared_l2(a, -a)),
    ):
        assert same.min() >= 0.0
        assert opposite.max() <= MAX_SQ_L2
        np.testing.assert_allclose(same, 0.0, atol=2e-6)
        np.testing.assert_allclose(opposite, 4.0, atol=2e-6)


def test_nothing_is_measured_where_nothing_is() -> None:
    assert squared_l2(vectors(0), vectors(3)).shape == (0, 3)
    assert paired_squared_l2(vectors(0), vectors(0)).shape == (0,)


@pytest.mark.parametrize("shape", [(128,), (3, 128), (2, 3, 128)])
def test_unit_keeps_directions_and_makes_lengths_1(shape: tuple[int, ...]) -> None:
    given_vectors = np.random.default_rng(0).normal(size=shape).astype(np.float32) * 7
    found = unit(given_vectors)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=-1), 1.0, atol=1e-6)
    np.testing.assert_allclose(found * np.linalg.norm(given_vectors, axis=-1, keepdims=True), given_vectors, rtol=1e-4)


@given(angle=st.floats(0.0, np.pi))
def test_conversions_agree_with_the_angle_between_the_vectors(angle: float) -> None:
    a, b = np.array([1.0, 0.0]), np.array([np.cos(angle), np.sin(angle)])
    sq_l2 = float(((a - b) ** 2).sum())
    assert plain_l2(sq_l2) == pytest.approx(2 * np.sin(angle / 2), abs=1e-9)
