"""LFW without a detector (FaceNet, section 5.6): the fixed centre of each photograph is the face.

The detection is replaced by a function that returns the same face for every photograph. The later steps are those of
the service, for every kind of model.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from anyio import to_thread

from models.errors import DatasetError
from models.evaluation.embedding.crops import chunks
from models.evaluation.embedding.files import unusable_photograph
from service.domain.embedding import Embeddings
from service.domain.errors import PhotographError
from service.domain.face import Box, Face
from service.domain.image import Image
from service.pipeline.alignment import ARCFACE_TEMPLATE
from service.pipeline.opening import PipelineOptions, open_pipeline
from service.pipeline.pipeline import Pipeline
from service.pipeline.selection import all_faces

LFW_SIDE_PX = 250
"""The width and height of the photographs that LFW publishes."""

TEMPLATE_SQUARE = (60, 51, 132)
"""Left, top and side of the square of the photograph that is mapped to the 112-px template, in pixels.

Measured with YuNet and O-Net on the 5,532 photographs of LFW that are in no pair of View 2. The median scale of the
similarity transform to the template is 0.849, so 132 px become 112 px. The mean of the five landmarks of all
photographs is (125.6, 135.5). The square maps this point to the mean of the template's landmarks. The square is not
rotated, because heads are upright on average.
"""

MEDIAN_BOX = Box(79.2, 67.0, 92.8, 122.5)
"""The median of YuNet's boxes on the same photographs, for models that take the box of the detector."""


def _average_face() -> Face:
    left, top, side = TEMPLATE_SQUARE
    # The square begins at the edge of a pixel. Coordinates count from the centre of a pixel. So 0.5 is subtracted.
    corner = np.array([left - 0.5, top - 0.5], np.float32)
    landmarks = (ARCFACE_TEMPLATE + np.float32(0.5)) * np.float32(side / 112) + corner
    return Face(MEDIAN_BOX, landmarks, 1.0)


def find_average_face(image: Image) -> list[Face]:
    """Return the average face of LFW, whatever the photograph shows.

    Raises DatasetError for an image of another size than the images of LFW, because its centre is elsewhere.
    """
    if (image.width, image.height) != (LFW_SIDE_PX, LFW_SIDE_PX):
        raise DatasetError(
            f"--crop centre is for LFW's own photographs of {LFW_SIDE_PX} x {LFW_SIDE_PX} pixels, and one is "
            f"{image.width} x {image.height}. Use --crop aligned."
        )
    return [_average_face()]


def embed_centres(
    options: PipelineOptions, files: Sequence[Path], done: Callable[[], object]
) -> tuple[Embeddings, list[int]]:
    """Embed the centre of each file, as a probe.

    done: called after each file.
    Returns (n, d) float32 embeddings, and the rows of `files` that they belong to: all n rows.
    Raises DatasetError for a file that cannot be read or has another size. Raises StartupError for models that cannot
    be opened.
    """
    return asyncio.run(_embed_centres(options, files, done)), list(range(len(files)))


async def _embed_centres(options: PipelineOptions, files: Sequence[Path], done: Callable[[], object]) -> Embeddings:
    async with open_pipeline(options) as opened:
        pipeline = replace(opened, extractor=replace(opened.extractor, find_faces=find_average_face))
        embeddings = [np.empty((0, pipeline.card.dimension), np.float32)]
        for chunk in chunks(files):
            embeddings += await asyncio.gather(*(_embed_centre(pipeline, file, done) for file in chunk))
    return np.concatenate(embeddings)


async def _embed_centre(pipeline: Pipeline, file: Path, done: Callable[[], object]) -> Embeddings:
    """Return the embedding of the centre, (1, d)."""
    try:
        data = await to_thread.run_sync(file.read_bytes)
        embeddings = (await pipeline.embed_probe(data, all_faces)).embeddings
    except (OSError, PhotographError) as error:
        raise unusable_photograph(file, error) from None
    done()
    return embeddings
