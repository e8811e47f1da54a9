"""How good a network is on people that it was not trained on: what is looked at while it trains, and ends a run."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models.augmentation import Views
from models.errors import TrainingError
from models.evaluation import metrics
from models.faces import FaceSet
from models.preparation.shards import Flag
from models.training.objectives.base import Rows
from service.card import ErrorRate
from service.distances import squared_l2
from service.domain import Crops, Embeddings

LEFT_OUT: tuple[Flag, ...] = ("mislabelled", "near_duplicate")
"""Flags of `prepare`: wrong labels mislead triplets, and photographs that are there twice teach nothing."""

CHUNK = 64
PER_PERSON = 20
"""Faces of one person that are compared: enough, and the person with a thousand does not outvote the others."""


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """Every pair of faces, once. distances, same: (n,), see `evaluation/metrics.py`."""

    distances: metrics.Distances
    same: metrics.Same

    @property
    def val(self) -> float:
        """VAL at FMR 1e-3."""
        return metrics.validation_rate(self.distances, self.same, self.threshold_sq_l2)

    @property
    def threshold_sq_l2(self) -> float:
        """The largest distance at which the FMR is at most 1e-3."""
        return metrics.threshold_at(self.distances, self.same, metrics.FAR)

    def error_rate(self, d: float, measured_on: str) -> ErrorRate:
        """As the card has it."""
        return ErrorRate(
            threshold_sq_l2=d,
            fmr=metrics.false_accept_rate(self.distances, self.same, d),
            fnmr=1 - metrics.validation_rate(self.distances, self.same, d),
            impostor_pairs=int((~self.same).sum()),
            genuine_pairs=int(self.same.sum()),
            measured_on=measured_on,
        )

    def figures(self) -> dict[str, float]:
        """By name, as curves are called."""
        at = self.error_rate(metrics.FACENET_THRESHOLD, "")
        return {
            "val_at_fmr_1e-3": self.val,
            "threshold_at_fmr_1e-3_sq_l2": self.threshold_sq_l2,
            "fmr_at_1.242": at.fmr,
            "fnmr_at_1.242": at.fnmr,
        }


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """crops: (n, h, w, 3) uint8, not augmented. people: (n,) int64."""

    crops: Crops
    people: NDArray[np.int64]

    def measure(self, network: nn.Module, device: torch.device) -> Standing:
        """network: in evaluation mode."""
        return standing(embed(network, self.crops, device), self.people)


def divided(faces: FaceSet, share: float, seed: int) -> tuple[FaceSet, FaceSet]:
    """To train on, and held out: `share` of the people. Where it is 0, as with a handful of people, both are all."""
    return faces.split(share, seed) if share else (faces, faces)


def held_out(faces: FaceSet, views: Views, rng: np.random.Generator) -> HeldOut:
    """At most 20 faces of each person, as they were aligned. views: with no augmentation.

    Raises TrainingError where there are no two people, or nobody has two faces: then nothing can be measured.
    """
    counts = np.bincount(faces.people)
    if np.count_nonzero(counts) < 2 or counts.max() < 2:
        raise TrainingError(
            f"{len(faces)} faces of {np.count_nonzero(counts)} people are held out, where two people and two faces of "
            "one of them are needed. Prepare more people, or photographs of the same ones."
        )
    rows = np.concatenate([_some(np.flatnonzero(faces.people == one), rng) for one in np.unique(faces.people)])
    return HeldOut(views.draw(faces.canvases[rows], rng), faces.people[rows])


def _some(rows: Rows, rng: np.random.Generator) -> Rows:
    return rng.permutation(rows)[:PER_PERSON]


@torch.no_grad()
def embed(network: nn.Module, crops: Crops, device: torch.device) -> Embeddings:
    """Returns (n, d) float32."""

    def chunks() -> Iterator[Embeddings]:
        for start in range(0, len(crops), CHUNK):
            yield network(torch.from_numpy(crops[start : start + CHUNK]).to(device)).cpu().numpy()

    return np.concatenate(list(chunks()))


def standing(embeddings: Embeddings, people: NDArray[np.int64]) -> Standing:
    """embeddings: (n, d) float32 of unit length. people: (n,) int64, whose each is."""
    pairs = np.triu_indices(len(people), 1)
    return Standing(squared_l2(embeddings, embeddings)[pairs], (people[:, None] == people)[pairs])
