"""The random numbers of a run: a separate stream for each purpose.

NumPy's `default_rng((seed, step))` and `default_rng((seed, step, 0))` return the same numbers. If the draw of a batch
and its augmentation used such seeds, they would use the same random numbers. So the second number of every seed is the
purpose, and it is never 0.
"""

from enum import IntEnum, unique

import numpy as np
import torch


@unique
class Purpose(IntEnum):
    """The purposes of random numbers. If a value changes, the results of every run change."""

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
    numbers: for example a step and a process, if each of them needs its own generator.
    """
    return np.random.default_rng((seed, purpose, *numbers))


def torch_random_stream(seed: int, purpose: Purpose) -> torch.Generator:
    """Return the generator of one purpose for PyTorch, on the CPU. seed: of the recipe."""
    return torch.Generator().manual_seed(torch_seed(seed, purpose))


def torch_seed(seed: int, purpose: Purpose) -> int:
    """Return a seed for PyTorch, which takes a single number. seed: of the recipe."""
    return int(np.random.SeedSequence((seed, purpose)).generate_state(1)[0])
