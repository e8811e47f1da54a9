"""The default pipeline with real models, its parts, and a photograph."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.pipeline.embedders.onnx import OnnxEmbedder
from service.pipeline.extraction import FaceExtractor
from service.pipeline.opening import PipelineOptions, open_embedder, open_face_extractor, open_pipeline
from service.pipeline.pipeline import Pipeline


@pytest.fixture(scope="session")
async def pipeline(options: PipelineOptions) -> AsyncIterator[Pipeline]:
    async with open_pipeline(options) as pipeline:
        yield pipeline


@pytest.fixture(scope="session")
def embedder(options: PipelineOptions) -> OnnxEmbedder:
    return open_embedder(options)


@pytest.fixture(scope="session")
def extractor(options: PipelineOptions, embedder: OnnxEmbedder) -> FaceExtractor:
    return open_face_extractor(options, embedder.card)


@pytest.fixture(scope="session")
def astronaut(photographs: Path) -> bytes:
    return (photographs / "eileen_collins" / "astronaut.png").read_bytes()
