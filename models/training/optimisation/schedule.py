"""The learning rate over a run: it rises linearly, stays constant, and falls along half a cosine.

FaceNet also lowers it during training.
"""

from dataclasses import dataclass
from math import cos, pi


@dataclass(frozen=True, slots=True)
class Schedule:
    """The steps of a run and their learning rates.

    steps: the number of steps of the whole run.
    warm_up: the number of steps at the start in which the rate rises.
    decay: the share of the run, at its end, in which the rate falls. With 0 it does not fall.
    final_factor: the last factor of the rate.
    """

    steps: int
    warm_up: int = 0
    decay: float = 1.0
    final_factor: float = 0.01

    def learning_rate_factor(self, step: int) -> float:
        """Return the factor for the learning rate of the recipe in this step. step: counted from 0."""
        if step < self.warm_up:
            return (step + 1) / self.warm_up
        decay_start = max(self.warm_up, self.steps * (1 - self.decay))
        if step < decay_start:
            return 1.0
        cosine = (1 + cos(pi * (step - decay_start) / (self.steps - decay_start))) / 2
        return self.final_factor + (1 - self.final_factor) * cosine
