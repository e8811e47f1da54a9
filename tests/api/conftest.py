"""The application as it is served, around real models and a real gallery, without a socket."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from service.app import open_app
from service.settings import Limits, Models, Settings
from tests.clients import connect
from tests.pictures import side_by_side


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
    async with connect(app) as client:
        yield client


@pytest.fixture
async def collection(client: httpx.AsyncClient) -> AsyncIterator[str]:
    """The path of a new collection."""
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
def pair(obama: bytes, biden: bytes) -> bytes:
    """One photograph of two people, side by side."""
    return side_by_side(obama, biden)


@pytest.fixture(scope="session")
def twins(obama: bytes) -> bytes:
    """One photograph that shows the same person twice."""
    return side_by_side(obama, obama)
