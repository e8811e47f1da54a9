"""The pipeline as it serves, around real models, and photographs to send through it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.embedders.onnx import OnnxEmbedder
from service.pipeline import Pipeline, PipelineOptions, Sight, open_embedder, open_pipeline, open_sight


@pytest.fixture(scope="session")
async def pipeline(options: PipelineOptions) -> AsyncIterator[Pipeline]:
    async with open_pipeline(options) as pipeline:
        yield pipeline


@pytest.fixture(scope="session")
def embedder(options: PipelineOptions) -> OnnxEmbedder:
    return open_embedder(options)


@pytest.fixture(scope="session")
def sight(options: PipelineOptions, embedder: OnnxEmbedder) -> Sight:
    return open_sight(options, embedder.card)


@pytest.fixture(scope="session")
def astronaut(photographs: Path) -> bytes:
    return (photographs / "eileen_collins" / "astronaut.png").read_bytes()
