"""Embed files with the pipeline of the service, many files at once."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from anyio import to_thread

from models.errors import DatasetError
from service.domain.embedding import Embeddings
from service.domain.errors import PhotographError
from service.pipeline.opening import PipelineOptions, open_pipeline
from service.pipeline.pipeline import Pipeline
from service.pipeline.selection import main_face

IN_FLIGHT_PER_THREAD = 4
"""How many photographs are processed at once, for each thread of the pipeline.

With fewer, the batches of the embedder would not be full. With many more, the photographs would need too much memory.
"""


def embed_files(
    options: PipelineOptions, files: Sequence[Path], done: Callable[[], object]
) -> tuple[Embeddings, list[int]]:
    """Embed the main face of each file, as a probe. Files without a face are left out.

    done: called after each file.
    Returns (m, d) float32 embeddings, and the rows of `files` that they belong to, ascending.
    Raises DatasetError for a file that cannot be read. Raises StartupError for models that cannot be opened.
    """
    return asyncio.run(_embed_files(options, files, done))


async def _embed_files(
    options: PipelineOptions, files: Sequence[Path], done: Callable[[], object]
) -> tuple[Embeddings, list[int]]:
    embeddings: dict[int, Embeddings] = {}
    waiting = iter(enumerate(files))  # all workers take their files from this one iterator
    async with open_pipeline(options) as pipeline:

        async def work() -> None:
            for row, file in waiting:
                embedding = await _embed_main_face(pipeline, file)
                if len(embedding):
                    embeddings[row] = embedding
                done()

        await asyncio.gather(*(work() for _ in range(IN_FLIGHT_PER_THREAD * options.threads)))
        no_embeddings = np.empty((0, pipeline.card.dimension), np.float32)
    rows = sorted(embeddings)
    return np.concatenate([no_embeddings, *(embeddings[row] for row in rows)]), rows


async def _embed_main_face(pipeline: Pipeline, file: Path) -> Embeddings:
    """Return the embedding of the main face, (1, d), or (0, d) if there is no face."""
    try:
        data = await to_thread.run_sync(file.read_bytes)
        return (await pipeline.embed_probe(data, main_face)).embeddings
    except (OSError, PhotographError) as error:
        raise unusable_photograph(file, error) from None


def unusable_photograph(file: Path, error: OSError | PhotographError) -> DatasetError:
    """Return the error for a photograph that cannot be read or decoded."""
    reason = error.strerror if isinstance(error, OSError) else str(error).removesuffix(".")
    return DatasetError(f"{file} cannot be used ({reason}). Replace it or remove it.")
