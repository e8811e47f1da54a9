"""Faults of the parts behind the API: what the client gets. docs/faults.md has a row for each."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import httpx
import pytest
from fastapi import FastAPI

from service.api.dependencies import Services
from service.app import build_app
from service.decisions.two_models import LoadedModels
from service.domain.embedding import Embeddings
from service.domain.face import Crops
from service.pipeline.batching import Batcher
from service.settings.environment import Settings
from service.settings.groups import Limits
from tests.support.asgi_client import connect_to_app
from tests.support.fakes import BlockingEmbedder

pytestmark = pytest.mark.anyio

EmbedCrops = Callable[[Crops], Awaitable[Embeddings]]


@asynccontextmanager
async def connect(
    app: FastAPI, tmp_path: Path, embed_batch: Callable[[Crops], Embeddings], limits: Limits | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """Connect to the application with another embedder."""
    services: Services = app.state.services
    async with Batcher(embed_batch, workers=1, max_batch=4) as batcher:
        pipeline = replace(services.probes.pipeline, embed_probe_crops=batcher.embed)
        settings = Settings(data_dir=tmp_path, limits=limits or Limits())
        timeout_s = settings.limits.request_timeout_s
        changed = replace(
            services, models=LoadedModels(replace(services.probes, pipeline=pipeline)), request_timeout_s=timeout_s
        )
        async with connect_to_app(build_app(settings, changed)) as client:
            yield client


def fail(_crops: Crops) -> Embeddings:
    raise ArithmeticError("a path or a number that nobody may see")


def run_out_of_memory(_crops: Crops) -> Embeddings:
    raise MemoryError


async def test_an_embedder_that_raises_is_500_and_its_message_stays_inside(
    app: FastAPI, tmp_path: Path, obama: bytes
) -> None:
    async with connect(app, tmp_path, fail) as client:
        for _ in range(2):
            answer = await client.post("/embed", files={"images": obama})
            assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
            assert "number" not in answer.text


async def test_too_little_memory_is_503_with_a_time_to_try_again(app: FastAPI, tmp_path: Path, obama: bytes) -> None:
    async with connect(app, tmp_path, run_out_of_memory) as client:
        answer = await client.post("/embed", files={"images": obama})
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "overloaded", "5")


@pytest.fixture
def hanging() -> Iterator[BlockingEmbedder]:
    embedder = BlockingEmbedder()
    yield embedder
    embedder.may_return.set()


async def test_an_embedder_that_hangs_is_503_and_requests_without_it_are_answered(
    app: FastAPI, tmp_path: Path, hanging: BlockingEmbedder, obama: bytes
) -> None:
    async with connect(app, tmp_path, hanging.embed, Limits(request_timeout_s=0.5)) as client:
        for _ in range(2):
            answer = await client.post("/embed", files={"images": obama})
            assert (answer.status_code, answer.json()["code"]) == (503, "timed_out")
        assert (await client.get("/collections")).status_code == 200
        assert (await client.get("/livez")).status_code == 200
        with anyio.fail_after(30):
            while (answer := await client.get("/readyz")).status_code == 200:
                pass
        assert (answer.status_code, answer.json()["code"]) == (503, "hanging")
        with anyio.fail_after(30):
            while (answer := await client.get("/livez")).status_code == 200:
                pass
        assert (answer.status_code, answer.json()["code"]) == (503, "hanging")
        hanging.may_return.set()
        with anyio.fail_after(30):
            # until its work has ended
            while (await client.post("/embed", files={"images": b"no image"})).status_code != 422:
                pass
        assert [(await client.get(probe)).status_code for probe in ("/livez", "/readyz")] == [200, 200]
    assert len(hanging.calls) == 1, "what was late is not begun"
