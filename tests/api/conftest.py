"""The application with real models and a real gallery, without a socket."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from service.app import open_app
from service.settings.environment import Settings
from service.settings.groups import Limits, Models
from tests.support.asgi_client import connect_to_app
from tests.support.listed_refusals import ListedRefusals
from tests.support.sample_images import place_side_by_side


@pytest.fixture(scope="session")
async def app(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FastAPI]:
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("gallery"),
        models=Models(dir=models_dir),
        limits=Limits(body_bytes=8 * 2**20, images_per_request=16, images_in_flight=24, embeddings_per_request=200),
    )
    async with open_app(settings) as app:
        yield app


@pytest.fixture(scope="session")
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of the application. It fails if an answer is a problem that the API description does not list."""
    async with connect_to_app(app) as client:
        client.event_hooks = {"response": [ListedRefusals(app.openapi()).check]}
        yield client


@pytest.fixture
async def collection(client: httpx.AsyncClient) -> AsyncIterator[str]:
    """Create a collection, and yield its path."""
    path = f"/collections/{uuid.uuid4().hex}"
    assert (await client.put(path)).status_code == 201
    yield path
    await client.delete(path)


@pytest.fixture(scope="session")
async def model_id(client: httpx.AsyncClient) -> str:
    return str((await client.get("/model")).json()["id"])


@pytest.fixture(scope="session")
async def obama_embedding(client: httpx.AsyncClient, obama: bytes) -> list[float]:
    answer = await client.post("/embed", params={"include": "embedding"}, files={"images": obama})
    return list(answer.json()["images"][0]["faces"][0]["embedding"])


@pytest.fixture(scope="session")
def two_people(obama: bytes, biden: bytes) -> bytes:
    """Return one photograph of two people."""
    return place_side_by_side(obama, biden)


@pytest.fixture(scope="session")
def same_person_twice(obama: bytes) -> bytes:
    """Return one photograph that shows the same person twice."""
    return place_side_by_side(obama, obama)
