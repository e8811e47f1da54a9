"""The learning rate over a run: up in a line, flat, and down along half a cosine at the end (FaceNet lowers it too)."""

from dataclasses import dataclass
from math import cos, pi


@dataclass(frozen=True, slots=True)
class Schedule:
    """steps: of the whole run. warm_up: steps. decay: the share of the run over which the rate falls to 1 %."""

    steps: int
    warm_up: int = 0
    decay: float = 1.0

    def factor(self, step: int) -> float:
        """What the recipe's learning rate is multiplied with in this step, counted from 0."""
        if step < self.warm_up:
            return (step + 1) / self.warm_up
        start = max(self.warm_up, self.steps * (1 - self.decay))
        if step < start:
            return 1.0
        return 0.01 + 0.99 * (1 + cos(pi * (step - start) / (self.steps - start))) / 2
