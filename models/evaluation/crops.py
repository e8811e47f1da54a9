"""Files -> crops -> embeddings in two steps, for evaluations that look at the crops or change them in between.

The steps are the service's own: decode, detect, landmarks, align (`Sight`), then the embedder.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from models.embedding import unusable
from service.domain import Crops, Embeddings
from service.embedders.base import Embedder
from service.errors import PhotographError
from service.pipeline import Sight, main_face

CHUNK = 64
"""Photographs whose crops are in memory together."""

MAX_BATCH = 4
"""Crops of one call; on a CPU more are no faster."""


def chunks(files: Sequence[Path]) -> Iterator[Sequence[Path]]:
    """The files in order, some at a time."""
    return (files[start : start + CHUNK] for start in range(0, len(files), CHUNK))


def cut(sight: Sight, files: Sequence[Path], threads: int) -> tuple[Crops, list[int]]:
    """The main face of each file: (m, h, w, 3) uint8 crops, and the m rows of `files` they belong to, ascending.

    Files without a face are left out. Raises DatasetError for a file that cannot be read.
    """
    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(partial(_main_face, sight), files))
    alignment = sight.aligner.alignment
    nobody = np.empty((0, alignment.height, alignment.width, 3), np.uint8)
    return np.concatenate([nobody, *found]), [row for row, crops in enumerate(found) if len(crops)]


def _main_face(sight: Sight, file: Path) -> Crops:
    try:
        return sight.look(file.read_bytes(), main_face).crops
    except (OSError, PhotographError) as error:
        raise unusable(file, error) from None


def embed(embedder: Embedder, crops: Crops, threads: int) -> Embeddings:
    """crops: (n, h, w, 3) uint8 of the card's size. Returns (n, d) float32, row by row."""
    batches = [crops[start : start + MAX_BATCH] for start in range(0, len(crops), MAX_BATCH)]
    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(embedder.embed, batches))
    return np.concatenate([np.empty((0, embedder.card.dimension), np.float32), *found])
