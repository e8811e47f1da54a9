"""Every refusal has its status and its code, and nothing of what went wrong inside comes out."""

import inspect
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from anyio import CapacityLimiter
from fastapi import FastAPI
from structlog.testing import capture_logs

from service import errors
from service.api.dependencies import Services
from service.api.problems import STATUS
from service.app import build_app
from service.decisions.inputs import Inputs
from service.galleries.gallery import DATABASE, Gallery
from service.settings import Settings
from tests.clients import connect

pytestmark = pytest.mark.anyio

NEVER_OVER_HTTP = (errors.StartupError, errors.ClientError)
PRIVATE = "Ada's face is 0.25"


def leaves() -> list[type[errors.FaceError]]:
    """Every class that is raised: those without a child."""
    classes = [one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, errors.FaceError)]
    return [one for one in classes if not one.__subclasses__()]


@pytest.mark.parametrize("error", [one for one in leaves() if not issubclass(one, NEVER_OVER_HTTP)])
def test_every_error_that_can_reach_http_has_a_status(error: type[errors.FaceError]) -> None:
    assert 400 <= STATUS[error] < 600
    assert error.code != errors.FaceError.code


def test_no_status_is_given_to_what_is_never_raised() -> None:
    assert set(STATUS) == {one for one in leaves() if not issubclass(one, NEVER_OVER_HTTP)}


@pytest.fixture
def failing(app: FastAPI, tmp_path: Path) -> FastAPI:
    """The application with a mistake in it."""
    with_mistake = build_app(Settings(data_dir=tmp_path), app.state.services)

    @with_mistake.get("/mistake")
    async def mistake() -> None:
        raise KeyError(PRIVATE)

    @with_mistake.get("/startup")
    async def startup() -> None:
        raise errors.ModelFileError(PRIVATE)

    return with_mistake


@pytest.mark.parametrize(("path", "name"), [("/mistake", "KeyError"), ("/startup", "ModelFileError")])
async def test_a_mistake_is_500_and_told_to_the_operator_without_what_it_says(
    failing: FastAPI, path: str, name: str
) -> None:
    with capture_logs() as lines:
        async with connect(failing) as client:
            answer = await client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"]
    failed = next(line for line in lines if line["event"] == "failed")
    assert failed["error"] == name
    assert failed["at"][-1].startswith(f"{__name__}:")
    assert PRIVATE not in f"{answer.text} {lines}"


async def test_a_problem_names_itself(client: httpx.AsyncClient) -> None:
    answer = await client.get("/collections/nowhere")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "code": "collection_not_found",
        "detail": "No collection has this id. PUT /collections/{id} creates one; GET /collections lists them.",
    }


async def test_a_gallery_that_cannot_be_read_is_503(app: FastAPI, tmp_path: Path) -> None:
    services: Services = app.state.services
    gallery = Gallery.open(tmp_path, "exact")
    other = replace(services, inputs=Inputs(services.inputs.pipeline, gallery, CapacityLimiter(1)))
    async with connect(build_app(Settings(data_dir=tmp_path), other)) as client:
        assert (await client.get("/readyz")).status_code == 200
        with closing(sqlite3.connect(tmp_path / DATABASE)) as database:
            database.execute("ALTER TABLE collections RENAME TO lost")
        for method, path in (("GET", "/readyz"), ("GET", "/collections"), ("PUT", "/collections/new")):
            answer = await client.request(method, path)
            assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
            assert answer.headers["retry-after"] == "10"
        assert (await client.get("/livez")).status_code == 200
        assert (await client.get("/model")).status_code == 200
    gallery.close()


async def test_no_name_of_a_client_is_in_the_log(client: httpx.AsyncClient, obama: bytes) -> None:
    with capture_logs() as lines:
        await client.put("/collections/lovelace")
        await client.put("/collections/lovelace/subjects/lovelace", json={"name": "lovelace"})
        await client.post("/collections/lovelace/subjects/lovelace/faces", files={"lovelace": ("lovelace", obama)})
        await client.post("/identify?collection=lovelace&lovelace=1", files={"image": ("lovelace.jpg", obama)})
        await client.get("/lovelace")
        await client.delete("/collections/lovelace")
    assert [line["route"] for line in lines] == [
        "/collections/{collection}",
        "/collections/{collection}/subjects/{subject}",
        "/collections/{collection}/subjects/{subject}/faces",
        "/identify",
        "(none)",
        "/collections/{collection}",
    ]
    assert "lovelace" not in str(lines)


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/verify?lovelace=1", {"lovelace": "lovelace"}),
        ("/verify?threshold=lovelace", {"image_a": "lovelace", "image_b": {"lovelace": "lovelace"}}),
        ("/identify?collection=love%20lace", {"image": {"face": "love lace", "collection": "lovelace"}}),
        ("/cluster?method=lovelace", {"embeddings": [["lovelace"]], "model": "lovelace"}),
        ("/collections/default/subjects", {"id": "-lovelace", "name": "lovelace\n", "lovelace": 1}),
        ("/embed?include=lovelace", {"images": [{"base64": "lovelace", "lovelace": 1}]}),
    ],
)
async def test_what_was_sent_is_not_repeated(client: httpx.AsyncClient, path: str, fields: dict[str, object]) -> None:
    answer = await client.post(path, json=fields)
    assert answer.status_code == 422
    assert answer.json()["errors"]
    assert "lovelace" not in answer.text
