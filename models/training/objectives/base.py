"""The seam: what an objective is to the loop."""

from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from service.domain import Pixels

Rows: TypeAlias = NDArray[np.int64]
"""(n,) int64: faces of a FaceSet by their row."""


class Canvases(Protocol):
    """Pictures by their row, in memory or made when they are asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, row: int, /) -> Pixels: ...


@dataclass(frozen=True, slots=True)
class Loss:
    """value: a scalar with its graph. figures: what else is worth a curve, by name."""

    value: Tensor
    figures: dict[str, float] = field(default_factory=dict)


class Objective(Protocol):
    """Draws the faces of a batch and judges their embeddings."""

    @property
    def canvases(self) -> Canvases:
        """What it draws from."""
        ...

    @property
    def head(self) -> nn.Module:
        """Weights that are trained with the network and left behind: a classifier's. Most objectives have none."""
        ...

    def draw(self, rng: np.random.Generator) -> Rows:
        """The rows of one batch; the same ones for the same state of `rng`."""
        ...

    def loss(self, embeddings: Tensor, rows: Rows) -> Loss:
        """embeddings: (n, d) float32 of unit length, of the faces `rows`."""
        ...
