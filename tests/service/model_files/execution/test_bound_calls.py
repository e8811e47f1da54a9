"""Calls with kept buffers, on the CPU. The code is the same on a GPU, except for the name of the device."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import parser

from service.model_files.card import EmbedderCard
from service.model_files.execution.bound_calls import BoundCalls, batch_sizes
from service.model_files.execution.options import Execution
from service.model_files.model_file import open_model
from tests.support.first_numbers import first_numbers_graph

GRAPH = first_numbers_graph(side_px=4, dimension=2)

MAX_BATCH = 12


@pytest.fixture(scope="module")
def calls() -> BoundCalls:
    model = parser.parse_model(GRAPH).SerializeToString()
    return BoundCalls(ort.InferenceSession(model, providers=["CPUExecutionProvider"]), "cpu", MAX_BATCH)


def crops_of(first: int, count: int) -> NDArray[np.uint8]:
    """Return crops that are all different: their first two numbers are a counter."""
    crops = np.zeros((count, 4, 4, 3), np.uint8)
    numbers = np.arange(first, first + count)
    crops[:, 0, 0, 0], crops[:, 0, 0, 1] = numbers % 256, numbers // 256
    return crops


def numbers_of(embeddings: NDArray[np.float32]) -> list[int]:
    return [int(low + 256 * high) for low, high in embeddings]


@pytest.mark.parametrize(
    ("max_batch", "sizes"), [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (64, [1, 2, 4, 8, 16, 32, 64]), (5, [1, 2, 4, 5])]
)
def test_the_batch_sizes_are_powers_of_two_and_the_largest_batch(max_batch: int, sizes: list[int]) -> None:
    assert batch_sizes(max_batch) == sizes


@settings(max_examples=60, deadline=None)
@given(counts=st.lists(st.integers(1, 3 * MAX_BATCH), min_size=1, max_size=6))
def test_every_batch_size_gives_each_row_its_own_result(calls: BoundCalls, counts: list[int]) -> None:
    """Also odd sizes, and sizes above the largest batch, one after the other in the same buffers."""
    first = 1
    for count in counts:
        assert numbers_of(calls.run(crops_of(first, count))) == list(range(first, first + count))
        first += count


def test_the_result_of_a_call_does_not_change_with_the_next_call(calls: BoundCalls) -> None:
    before = calls.run(crops_of(10, 4))
    calls.run(crops_of(20, 4))
    assert numbers_of(before) == [10, 11, 12, 13]


def test_calls_at_the_same_time_do_not_share_buffers(calls: BoundCalls) -> None:
    requests = [(37 * number, 1 + number % (MAX_BATCH + 3)) for number in range(400)]
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda request: numbers_of(calls.run(crops_of(*request))), requests))
    assert results == [list(range(first, first + count)) for first, count in requests]


def test_crops_that_are_a_view_of_others_are_copied_in_their_order(calls: BoundCalls) -> None:
    assert numbers_of(calls.run(crops_of(100, 8)[::-2])) == [107, 105, 103, 101]


@pytest.mark.parametrize("count", [1, 3, 8])
def test_the_embeddings_are_those_of_a_plain_call(models_dir: Path, count: int) -> None:
    session = open_model(models_dir / "sface.onnx", EmbedderCard, Execution()).session
    crops = np.random.default_rng(0).integers(0, 256, (count, 112, 112, 3), np.uint8)

    (plain,) = session.run(["embeddings"], {"crops": crops})

    np.testing.assert_allclose(BoundCalls(session, "cpu", 4).run(crops), plain, atol=1e-5)
