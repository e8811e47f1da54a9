"""How good a network is on people that it was not trained on: what is looked at while it trains, and ends a run."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models.augmentation import PLAIN, Views
from models.errors import TrainingError
from models.evaluation.metrics import FACENET_THRESHOLD
from models.evaluation.verification import Split, pairs
from models.faces import FaceSet, load
from models.preparation.shards import Flag, read_set
from models.progress import counted
from models.training.objectives.base import Rows
from service.card import BoxCrop, FivePoint
from service.domain import Crops, Embeddings

LEFT_OUT: tuple[Flag, ...] = ("mislabelled", "near_duplicate")
"""Flags of `prepare`: wrong labels mislead triplets, and photographs that are there twice teach nothing."""

CHUNK = 64
PER_PERSON = 20
"""Faces of one person that are compared: enough, and the person with a thousand does not outvote the others."""


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """crops: (n, h, w, 3) uint8, not augmented. people: (n,) int64."""

    crops: Crops
    people: NDArray[np.int64]

    def measure(self, network: nn.Module, device: torch.device) -> Split:
        """Every pair of the faces, once. network: in evaluation mode."""
        return pairs(embed(network, self.crops, device), self.people)


def curves(seen: Split) -> dict[str, float]:
    """What is worth a curve over the steps of a run, by name."""
    return {
        "val_at_fmr_1e-3": seen.val,
        "threshold_at_fmr_1e-3_sq_l2": seen.threshold_at_far,
        "fmr_at_1.242": seen.fmr(FACENET_THRESHOLD),
        "fnmr_at_1.242": seen.fnmr(FACENET_THRESHOLD),
    }


def prepared(data: Path) -> FaceSet:
    """The faces that `prepare` wrote to `data` and found nothing wrong with. Raises DatasetError."""
    with counted(len(read_set(data).shards), "Loading faces") as done:
        return load(data, done, LEFT_OUT)


def divided(faces: FaceSet, share: float, seed: int) -> tuple[FaceSet, FaceSet]:
    """Faces to train on, and those of a `share` of the people, held out.

    Where the share is 0, as with a handful of people, both are all. Raises DatasetError.
    """
    return faces.split(share, seed) if share else (faces, faces)


def held_out(faces: FaceSet, alignment: FivePoint | BoxCrop, rng: np.random.Generator) -> HeldOut:
    """At most 20 faces of each person, as they were aligned. alignment: of the crops.

    Raises TrainingError where there are no two people, or nobody has two faces: then nothing can be measured.
    """
    counts = np.bincount(faces.people)
    if np.count_nonzero(counts) < 2 or counts.max() < 2:
        raise TrainingError(
            f"{len(faces)} faces of {np.count_nonzero(counts)} people are held out, where two people and two faces of "
            "one of them are needed. Prepare more people, or photographs of the same ones."
        )
    rows = np.concatenate([_some(np.flatnonzero(faces.people == one), rng) for one in np.unique(faces.people)])
    views = Views(faces.alignment, alignment, PLAIN)
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
