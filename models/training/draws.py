"""Which faces share a batch where any will do: people with many photographs count for less than their number.

For triplets see `batches.py`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.errors import TrainingError
from models.training.objectives.base import Rows


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """shares: (n,) float64, how likely each face is drawn; they sum to 1."""

    shares: NDArray[np.float64]
    batch: int

    @classmethod
    def by_people(cls, people: Rows, batch: int) -> "Draw":
        """people: (n,) int64. A person's chance grows with the root of the number of their photographs.

        Raises TrainingError where there are fewer faces than a batch takes.
        """
        if len(people) < batch:
            raise TrainingError(f"A batch takes {batch} faces, and there are {len(people)} to train on: prepare more.")
        weights = np.bincount(people)[people] ** -0.5
        return cls(weights / weights.sum(), batch)

    def beside(self, others: int, share: float) -> "Draw":
        """So many `others` behind these, each as likely as the next: on average they are a share of every batch."""
        return Draw(np.concatenate([(1 - share) * self.shares, np.full(others, share / others)]), self.batch)

    def draw(self, rng: np.random.Generator) -> Rows:
        """(batch,) int64, no face twice."""
        return rng.choice(len(self.shares), self.batch, replace=False, p=self.shares)
