"""LFW's other mode (FaceNet, section 5.6): the fixed centre of each photograph, and nothing is detected.

A detector that finds the same face in every photograph does it: what turns a face into a crop stays as it is, for every
kind of model.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from anyio import to_thread

from models.embedding import unusable
from models.errors import DatasetError
from models.evaluation.crops import chunks
from service.alignment import ARCFACE_TEMPLATE
from service.domain import Box, Embeddings, Face, Image
from service.errors import PhotographError
from service.pipeline import Pipeline, PipelineOptions, detected_landmarks, every_face, open_pipeline

SIDE_PX = 250
"""Of the photographs that LFW publishes."""

TEMPLATE_SQUARE = (60, 51, 132)
"""Left, top and side of the square that the 112-px template is laid on, in pixels.

Measured on the 5,532 photographs of LFW that are in no pair of View 2, with YuNet and O-Net: the median scale of the
similarity transform to the template is 0.849, so 132 px are 112; and the mean of the five points of all of them,
(125.6, 135.5), falls on that of the template's. No turn: people hold their heads upright on average.
"""

BOX = Box(79.2, 67.0, 92.8, 122.5)
"""The medians of YuNet's boxes on the same photographs, for models that take the detector's box."""


def _face() -> Face:
    left, top, side = TEMPLATE_SQUARE
    corner = np.array([left - 0.5, top - 0.5], np.float32)  # the template's points count from the centre of a pixel
    return Face(BOX, (ARCFACE_TEMPLATE + np.float32(0.5)) * np.float32(side / 112) + corner, 1.0)


class CentreFace:
    """Finds the average face of LFW in its place, whatever the photograph shows."""

    def detect(self, images: Sequence[Image]) -> list[list[Face]]:
        """Raises DatasetError for an image of another size than LFW's, whose centre would be elsewhere."""
        for image in images:
            if (image.width, image.height) != (SIDE_PX, SIDE_PX):
                raise DatasetError(
                    f"The fixed crop is for LFW's own photographs of {SIDE_PX} x {SIDE_PX} pixels, and one is "
                    f"{image.width} x {image.height}. Measure with aligned crops."
                )
        return [[_face()] for _ in images]


def embed_centres(
    options: PipelineOptions, files: Sequence[Path], done: Callable[[], object]
) -> tuple[Embeddings, list[int]]:
    """The centre of each file: (n, d) embeddings and the n rows of `files`. `done` is called after each file.

    Raises DatasetError for a file that cannot be read or has another size, StartupError for models that cannot be
    opened.
    """
    return asyncio.run(_embed_centres(options, files, done)), list(range(len(files)))


async def _embed_centres(options: PipelineOptions, files: Sequence[Path], done: Callable[[], object]) -> Embeddings:
    async with open_pipeline(options) as opened:
        sight = replace(opened.sight, detector=CentreFace(), refine=detected_landmarks)
        pipeline = replace(opened, sight=sight)
        found = [np.empty((0, pipeline.card.dimension), np.float32)]
        for part in chunks(files):
            found += await asyncio.gather(*(_centre(pipeline, file, done) for file in part))
    return np.concatenate(found)


async def _centre(pipeline: Pipeline, file: Path, done: Callable[[], object]) -> Embeddings:
    try:
        data = await to_thread.run_sync(file.read_bytes)
        embeddings = (await pipeline.probe(data, every_face)).embeddings
    except (OSError, PhotographError) as error:
        raise unusable(file, error) from None
    done()
    return embeddings
