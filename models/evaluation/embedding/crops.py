"""From files to crops, and from crops to embeddings, for evaluations that show the crops or change them.

The steps are those of the service. First a `FaceExtractor` decodes, detects, finds the landmarks and aligns. Then an
embedder embeds.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from models.evaluation.embedding.files import unusable_photograph
from service.domain.embedding import Embeddings
from service.domain.errors import PhotographError
from service.domain.face import Crops
from service.pipeline.embedders.base import Embedder
from service.pipeline.extraction import FaceExtractor
from service.pipeline.selection import main_face

CHUNK_SIZE = 64
"""How many crops are in memory at once."""

MAX_BATCH = 4
"""How many crops one call of the embedder takes. On a CPU, larger batches are not faster."""


def chunks(files: Sequence[Path]) -> Iterator[Sequence[Path]]:
    """Split the files into parts of CHUNK_SIZE, in order."""
    return (files[start : start + CHUNK_SIZE] for start in range(0, len(files), CHUNK_SIZE))


def cut_main_faces(extractor: FaceExtractor, files: Sequence[Path], threads: int) -> tuple[Crops, list[int]]:
    """Cut out the main face of each file. Files without a face are left out.

    Returns (m, h, w, 3) uint8 crops, and the rows of `files` that they belong to, ascending.
    Raises DatasetError for a file that cannot be read.
    """
    with ThreadPoolExecutor(threads) as pool:
        crops_of_files = list(pool.map(partial(_cut_main_face, extractor), files))
    alignment = extractor.aligner.alignment
    no_crops = np.empty((0, alignment.height, alignment.width, 3), np.uint8)
    rows = [row for row, crops in enumerate(crops_of_files) if len(crops)]
    return np.concatenate([no_crops, *crops_of_files]), rows


def _cut_main_face(extractor: FaceExtractor, file: Path) -> Crops:
    """Return the crop of the main face, (1, h, w, 3), or (0, h, w, 3) if there is no face."""
    try:
        return extractor.extract(file.read_bytes(), main_face).crops
    except (OSError, PhotographError) as error:
        raise unusable_photograph(file, error) from None


def embed_crops(embedder: Embedder, crops: Crops, threads: int) -> Embeddings:
    """Return the embedding of each crop, (n, d) float32. crops: (n, h, w, 3) uint8, of the size in the card."""
    batches = [crops[start : start + MAX_BATCH] for start in range(0, len(crops), MAX_BATCH)]
    with ThreadPoolExecutor(threads) as pool:
        embeddings = list(pool.map(embedder.embed, batches))
    return np.concatenate([np.empty((0, embedder.card.dimension), np.float32), *embeddings])
