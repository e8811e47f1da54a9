"""Blends of two faces: more training pictures for distillation, without more photographs.

A network that sees the same thirty thousand faces a hundred times memorises them. The mean of two aligned faces looks
like a face of a person who does not exist. The teacher can embed such a blend as well as a photograph. So blends are
additional training data, and the network learns more from the teacher.

Sources: mixup, Zhang et al., 2018; for distillation, "a good teacher is patient and consistent", Beyer et al., 2022.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.data.canvases import Rows
from service.domain.face import Crops
from service.domain.image import Pixels


@dataclass(frozen=True, slots=True)
class BlendSettings:
    """The blends of a run.

    count: how many different blends there are.
    share: the share of blends in a batch, on average.
    min_weight: the smallest weight of each of the two faces. With a smaller weight, a blend is nearly the other face.
    """

    count: int = 0
    share: float = 0.0
    min_weight: float = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Blends:
    """Blends: each is the weighted mean of two canvases. A blend is computed when it is read.

    canvases: (n, h, w, 3) uint8.
    first, second: (m,) int64, rows of `canvases`.
    weights: (m,) float32, the weights of the first canvases. The second canvas has the weight 1 - weight.
    """

    canvases: Crops
    first: Rows
    second: Rows
    weights: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.first)

    def __getitem__(self, row: int) -> Pixels:
        """Return the blend, (h, w, 3) uint8."""
        first, second = self.canvases[self.first[row]], self.canvases[self.second[row]]
        weight = float(self.weights[row])
        return np.asarray(cv2.addWeighted(first, weight, second, 1 - weight, 0.0), np.uint8)


def make_blends(
    canvases: Crops, probabilities: NDArray[np.float64], settings: BlendSettings, rng: np.random.Generator
) -> Blends:
    """Return `settings.count` blends. They depend only on the arguments and the state of `rng`.

    canvases: (n, h, w, 3) uint8.
    probabilities: (n,) float64, the probability of each canvas to be drawn for a blend. Their sum is 1.
    """
    first, second = (rng.choice(len(canvases), settings.count, p=probabilities) for _ in range(2))
    weights = rng.uniform(settings.min_weight, 1 - settings.min_weight, settings.count).astype(np.float32)
    return Blends(canvases, first, second, weights)


@dataclass(frozen=True, slots=True, eq=False)
class CanvasesWithBlends:
    """The canvases of `blends`, and after them the blends. If there are n canvases, row n is the first blend."""

    blends: Blends

    def __len__(self) -> int:
        return len(self.blends.canvases) + len(self.blends)

    def __getitem__(self, row: int) -> Pixels:
        """Return the canvas or the blend, (h, w, 3) uint8."""
        canvases = len(self.blends.canvases)
        return self.blends.canvases[row] if row < canvases else self.blends[row - canvases]
