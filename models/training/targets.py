"""What a teacher says of each face: the unit mean of its embeddings of the clean crop and of its mirror image.

Computed once for a set of faces and kept, part by part, so that it goes on where it was stopped: a teacher of a phone's
size needs 7 ms for each of the two on one core.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.augmentation import PLAIN, Views
from models.errors import TrainingError
from models.files import npy, write_atomically
from models.training.objectives.base import Canvases
from service.card import BoxCrop, EmbedderCard, FivePoint
from service.distances import unit
from service.domain import Embeddings
from service.embedders.onnx import OnnxEmbedder
from service.model_file import ModelFile

CHUNK = 8
"""Faces embedded at once, each of them twice."""

PART = 4096
"""Faces of a file."""


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What is asked of a teacher. made_of: arrays that tell these canvases from all others."""

    canvases: Canvases
    alignment: FivePoint | BoxCrop
    made_of: tuple[NDArray[np.generic], ...]

    @property
    def key(self) -> str:
        """Names the folder of the answer."""
        digest = hashlib.blake2b(digest_size=8)
        for array in self.made_of:
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    @property
    def parts(self) -> int:
        """How many files the answer has."""
        return -(-len(self.canvases) // PART)


def check_teacher(card: EmbedderCard, dimension: int) -> None:
    """Raises TrainingError for a teacher of another dimension than the network's."""
    if card.dimension != dimension:
        raise TrainingError(
            f"{card.name} gives {card.dimension} numbers a face and the recipe's network {dimension}. "
            "Take a teacher and a network of one dimension."
        )


def targets(teacher: ModelFile[EmbedderCard], asked: Asked, kept: Path, done: Callable[[], object]) -> Embeddings:
    """(n, d) float32, from the folder `kept` as far as they were computed before. `done`: after each part."""
    folder = kept / f"targets-{teacher.card.id[:16]}-{asked.key}"
    views = Views(asked.alignment, teacher.card.alignment, PLAIN)
    parts = []
    for part in range(asked.parts):
        path = folder / f"{part:05d}.npy"
        if not path.exists():
            rows = list(_embedded(OnnxEmbedder(teacher), views, asked.canvases, part))
            write_atomically(path, npy(np.concatenate(rows)))
        parts.append(np.load(path))
        done()
    return np.concatenate(parts)


def _embedded(teacher: OnnxEmbedder, views: Views, canvases: Canvases, part: int) -> Iterator[Embeddings]:
    rng = np.random.default_rng()  # draws nothing: the views are plain
    end = min((part + 1) * PART, len(canvases))
    for start in range(part * PART, end, CHUNK):
        crops = views.draw([canvases[number] for number in range(start, min(start + CHUNK, end))], rng)
        both = teacher.embed(np.concatenate([crops, crops[:, :, ::-1]]))
        yield unit(both[: len(crops)] + both[len(crops) :])
