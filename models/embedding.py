"""Files to embeddings through the very pipeline that serves, from the files' bytes, many at a time."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from anyio import to_thread

from models.errors import DatasetError
from service.domain import Embeddings
from service.errors import PhotographError
from service.pipeline import Pipeline, PipelineOptions, main_face, open_pipeline

IN_FLIGHT = 4
"""Photographs for each thread of the pipeline: enough that its batches fill, few enough that memory does not."""


def embed_files(
    options: PipelineOptions, files: Sequence[Path], done: Callable[[], object]
) -> tuple[Embeddings, list[int]]:
    """The main face of each file, as a probe. `done` is called after each file.

    Returns (m, d) embeddings and the m rows of `files` they belong to, ascending: files without a face are left out.
    Raises DatasetError for a file that cannot be read, StartupError for models that cannot be opened.
    """
    return asyncio.run(_embed_files(options, files, done))


async def _embed_files(
    options: PipelineOptions, files: Sequence[Path], done: Callable[[], object]
) -> tuple[Embeddings, list[int]]:
    found: dict[int, Embeddings] = {}
    waiting = iter(enumerate(files))
    async with open_pipeline(options) as pipeline:

        async def work() -> None:
            for row, file in waiting:
                faces = await _main_face(pipeline, file)
                if len(faces):
                    found[row] = faces
                done()

        await asyncio.gather(*(work() for _ in range(IN_FLIGHT * options.threads)))
        nobody = np.empty((0, pipeline.card.dimension), np.float32)
    rows = sorted(found)
    return np.concatenate([nobody, *(found[row] for row in rows)]), rows


async def _main_face(pipeline: Pipeline, file: Path) -> Embeddings:
    try:
        data = await to_thread.run_sync(file.read_bytes)
        return (await pipeline.probe(data, main_face)).embeddings
    except (OSError, PhotographError) as error:
        raise unusable(file, error) from None


def unusable(file: Path, error: OSError | PhotographError) -> DatasetError:
    """The refusal of a photograph that cannot be read, wherever that happens."""
    why = error.strerror if isinstance(error, OSError) else str(error).removesuffix(".")
    return DatasetError(f"{file} cannot be used ({why}). Replace it or remove it.")
