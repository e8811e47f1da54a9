"""Faces laid over each other, two and two: people who do not exist, and of whom a teacher has an opinion all the same.

A student that sees thirty thousand faces a hundred times learns them by heart. Aligned faces blend into faces, and the
teacher's embedding of a blend is as good a target as any other: more of what it knows, without another photograph
(mixup, Zhang et al., 2018; as distillation, "a good teacher is patient and consistent", Beyer et al., 2022).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.draws import Draw
from models.training.objectives.base import Rows
from service.domain import Crops, Pixels

LEAST_WEIGHT = 0.3
"""Of either face: below it a blend is nearly the other one."""


@dataclass(frozen=True, slots=True, eq=False)
class Blends:
    """canvases: (n, H, W, 3) uint8. first, second: (m,) int64 rows of them. weights: (m,) float32, of the first."""

    canvases: Crops
    first: Rows
    second: Rows
    weights: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.first)

    def __getitem__(self, row: int) -> Pixels:
        """(H, W, 3) uint8."""
        one, other, weight = self.canvases[self.first[row]], self.canvases[self.second[row]], float(self.weights[row])
        return np.asarray(cv2.addWeighted(one, weight, other, 1 - weight, 0.0), np.uint8)


def blended(canvases: Crops, people: Rows, count: int, rng: np.random.Generator) -> Blends:
    """`count` blends of faces drawn by people, as a batch is; the same ones for the same state of `rng`."""
    shares = Draw.by_people(people, 1).shares
    first, second = (rng.choice(len(people), count, p=shares) for _ in range(2))
    weights = rng.uniform(LEAST_WEIGHT, 1 - LEAST_WEIGHT, count).astype(np.float32)
    return Blends(canvases, first, second, weights)


@dataclass(frozen=True, slots=True, eq=False)
class WithBlends:
    """Faces and behind them their blends, under one count of rows."""

    blends: Blends

    def __len__(self) -> int:
        return len(self.blends.canvases) + len(self.blends)

    def __getitem__(self, row: int) -> Pixels:
        """(H, W, 3) uint8."""
        faces = len(self.blends.canvases)
        return self.blends.canvases[row] if row < faces else self.blends[row - faces]
