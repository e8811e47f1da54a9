"""No two purposes of a run share their random numbers."""

from itertools import combinations

import numpy as np
import torch

from models.training.random_streams import Purpose, random_stream, torch_random_stream

SEED = 20_150_612


def test_a_stream_is_the_same_in_every_call() -> None:
    of_numpy = [random_stream(SEED, Purpose.BATCH, 7).random() for _ in range(2)]
    of_torch = [torch.rand(1, generator=torch_random_stream(SEED, Purpose.CLASS_CENTRES)).item() for _ in range(2)]
    assert of_numpy[0] == of_numpy[1]
    assert of_torch[0] == of_torch[1]


def test_no_two_streams_are_equal_even_with_the_number_0() -> None:
    of_seed_alone = np.random.default_rng(SEED).random()  # the draw of the held-out people uses this stream
    # A missing number counts as 0. So within one purpose, all seeds must have the same length.
    of_purposes = [
        {random_stream(SEED, purpose, *numbers).random() for numbers in ((), (0,), (0, 0), (1, 0), (0, 1))}
        for purpose in Purpose
    ]
    assert all(first.isdisjoint(second) for first, second in combinations([*of_purposes, {of_seed_alone}], 2))


def test_the_streams_of_pytorch_differ_between_purposes() -> None:
    drawn = {torch.rand(1, generator=torch_random_stream(SEED, purpose)).item() for purpose in Purpose}
    assert len(drawn) == len(Purpose)
