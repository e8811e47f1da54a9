"""Random embeddings, and embeddings with distances that are whole numbers."""

import itertools
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from service.domain.distances import unit
from service.domain.embedding import Embeddings

DIMENSION = 8

CORNERS = torch.tensor([*itertools.product([0.5, -0.5], repeat=4), *torch.eye(4).tolist(), *(-torch.eye(4)).tolist()])
"""Unit vectors whose squared distances are exactly whole numbers. So many distances are equal."""


class Batch(NamedTuple):
    """A batch of faces. embeddings: (n, d). people: (n,), the person of each face."""

    embeddings: Tensor
    people: Tensor


def random_embeddings(count: int, seed: int) -> Embeddings:
    return unit(np.random.default_rng(seed).normal(size=(count, DIMENSION)).astype(np.float32))


def random_batch(seed: int, faces: int, people: int, spread: float) -> Batch:
    """Return faces near the centres of their people. All centres are in one half of the sphere, so many are near."""
    generator = torch.Generator().manual_seed(seed)
    person_of_face = torch.randint(people, (faces,), generator=generator)
    centres = torch.randn(people, 6, generator=generator) + 1.0
    noise = torch.randn(faces, 6, generator=generator)
    return Batch(functional.normalize(centres[person_of_face] + spread * noise), person_of_face)
