"""What the training loop needs from every objective."""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from torch import Tensor, nn

from models.training.data.canvases import Canvases, Rows


@dataclass(frozen=True, slots=True)
class ObjectiveLoss:
    """The loss of a batch.

    value: () float32, with its graph.
    journal_values: other numbers of this batch that the journal records, by name.
    """

    value: Tensor
    journal_values: dict[str, float] = field(default_factory=dict)


class Objective(Protocol):
    """Draws the faces of each batch, and computes the loss of their embeddings."""

    @property
    def canvases(self) -> Canvases:
        """The canvases that batches are drawn from."""
        ...

    @property
    def head(self) -> nn.Module:
        """Weights that are trained with the network and not exported, such as class centres. Most have no weights."""
        ...

    def draw_rows(self, rng: np.random.Generator) -> Rows:
        """Return the rows of one batch. They depend only on the state of `rng`."""
        ...

    def loss(self, embeddings: Tensor, rows: Rows) -> ObjectiveLoss:
        """Return the loss of a batch.

        embeddings: (n, d) float32, unit length.
        rows: (n,) int64, the rows of the canvases that were embedded.
        """
        ...
