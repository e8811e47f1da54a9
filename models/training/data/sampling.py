"""Draw the faces of a batch for objectives that can use any faces. Batches for triplets are in `triplet_batches.py`.

A person with many faces is drawn more often than a person with few faces. But a person with twice as many faces is
drawn less than twice as often.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.errors import TrainingError
from models.training.data.canvases import Labels, Rows


@dataclass(frozen=True, slots=True, eq=False)
class FaceSampler:
    """Draws different faces, each with its own probability.

    probabilities: (n,) float64, the probability of each face to be the first of a batch. Their sum is 1.
    """

    probabilities: NDArray[np.float64]
    batch_size: int

    @classmethod
    def by_people(cls, people: Labels, batch_size: int, exponent: float) -> "FaceSampler":
        """Return a sampler in which a person with k faces is drawn in proportion to k ** exponent.

        people: (n,) int64, the person of each face.
        exponent: with 0 all people are equally probable, with 1 all faces.
        Raises TrainingError if there are fewer faces than a batch takes.
        """
        if len(people) < batch_size:
            raise TrainingError(
                f"A batch takes {batch_size} faces, and there are {len(people)} to train on. Prepare more photographs."
            )
        # Each face of a person with k faces has the weight k ** (exponent - 1). So the person has k ** exponent.
        weights = np.bincount(people)[people] ** (exponent - 1)
        return cls(weights / weights.sum(), batch_size)

    def with_added_rows(self, count: int, share: float) -> "FaceSampler":
        """Return a sampler with `count` more rows after the faces, such as blends. They are equally probable.

        share: the part of a batch that is drawn from the added rows, on average.
        """
        added = np.full(count, share / count)
        return FaceSampler(np.concatenate([(1 - share) * self.probabilities, added]), self.batch_size)

    def draw(self, rng: np.random.Generator) -> Rows:
        """Return the rows of a batch, (batch_size,) int64. No row is in it twice."""
        return rng.choice(len(self.probabilities), self.batch_size, replace=False, p=self.probabilities)
