"""The learning rate over a run: it rises linearly, stays, and falls along half a cosine. FaceNet lowers it too."""

from dataclasses import dataclass
from math import cos, pi


@dataclass(frozen=True, slots=True)
class Schedule:
    """The steps of a run and their learning rates.

    steps: of the whole run.
    warm_up: over how many steps the rate rises at the start.
    decay: over which share of the run the rate falls at the end. With 0 it does not fall.
    final_factor: the factor that it falls to.
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
