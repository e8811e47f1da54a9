"""Blends of two faces: more training pictures for distillation, without more photographs.

A network that is trained on thirty thousand faces a hundred times learns these faces by heart. The mean of two aligned
faces looks like a face of a person who does not exist. The teacher's embedding of a blend is as good a target as that
of a photograph, so the network learns more of what the teacher has learned.

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
    min_weight: the least weight of each of the two faces. With less, a blend is nearly the other face.
    """

    count: int = 0
    share: float = 0.0
    min_weight: float = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Blends:
    """Weighted means of two canvases each. A blend is computed when it is read.

    canvases: (n, h, w, 3) uint8.
    first, second: (m,) int64, rows of `canvases`.
    weights: (m,) float32, of the first. The second has the rest to 1.
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
    """Return `settings.count` blends. They depend on the state of `rng` only.

    canvases: (n, h, w, 3) uint8.
    probabilities: (n,) float64, of each canvas to be a face of a blend. Their sum is 1.
    """
    first, second = (rng.choice(len(canvases), settings.count, p=probabilities) for _ in range(2))
    weights = rng.uniform(settings.min_weight, 1 - settings.min_weight, settings.count).astype(np.float32)
    return Blends(canvases, first, second, weights)


@dataclass(frozen=True, slots=True, eq=False)
class CanvasesWithBlends:
    """The canvases of `blends`, then the blends: row n is the first blend if there are n canvases."""

    blends: Blends

    def __len__(self) -> int:
        return len(self.blends.canvases) + len(self.blends)

    def __getitem__(self, row: int) -> Pixels:
        """Return the canvas or the blend, (h, w, 3) uint8."""
        canvases = len(self.blends.canvases)
        return self.blends.canvases[row] if row < canvases else self.blends[row - canvases]
