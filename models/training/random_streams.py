"""The random numbers of a run: a stream of its own for each purpose.

NumPy's `default_rng((seed, step))` and `default_rng((seed, step, 0))` return the same numbers. If two parts of a run
took such seeds, the faces of a batch would depend on how they are augmented. So the second number of every seed is the
purpose, and it is never 0.
"""

from enum import IntEnum, unique

import numpy as np
import torch


@unique
class Purpose(IntEnum):
    """What random numbers are drawn for."""

    TRAINING_PEOPLE = 1
    EVALUATED_FACES = 2
    NETWORK_WEIGHTS = 3
    CLASS_CENTRES = 4
    BLENDS = 5
    BATCH = 6
    AUGMENTATION = 7
    QUANTISATION = 8


def random_stream(seed: int, purpose: Purpose, *numbers: int) -> np.random.Generator:
    """Return the generator of one purpose.

    seed: of the recipe.
    numbers: such as a step and a process, for a generator of each.
    """
    return np.random.default_rng((seed, purpose, *numbers))


def torch_random_stream(seed: int, purpose: Purpose) -> torch.Generator:
    """Return the generator of one purpose for PyTorch, on the CPU. seed: of the recipe."""
    return torch.Generator().manual_seed(torch_seed(seed, purpose))


def torch_seed(seed: int, purpose: Purpose) -> int:
    """Return a seed for PyTorch, which takes a single number. seed: of the recipe."""
    return int(np.random.SeedSequence((seed, purpose)).generate_state(1)[0])
