"""Every error has a status and a code. The answer to an internal error has no details of the error."""

import inspect
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from service.api.access import NEEDS, Need
from service.api.dependencies import Services
from service.api.problems import STATUS
from service.app import build_app
from service.decisions.probes import ProbeReader
from service.decisions.two_models import LoadedModels
from service.domain import access_errors, command_errors, errors
from service.gallery.opening import open_gallery
from service.gallery.records.sqlite.data_directory import DATABASE_FILE
from service.settings.environment import Settings
from tests.support.asgi_client import connect_to_app

pytestmark = pytest.mark.anyio

RESULTS = (errors.EnrolledElsewhere, errors.InvalidLine, errors.LowQuality)
"""No request is refused with these. They are the result of one image or line of an enrolment."""
RAISED_TOO = (errors.StorageUnavailable, errors.CollectionNotFound)
"""They are raised, and have subclasses that are raised too."""

PRIVATE_TEXT = "Ada's face is 0.25"


def raised_classes() -> list[type[errors.FacenetError]]:
    """Return every class that is raised: the classes without a subclass, and those of RAISED_TOO."""
    members = [member for module in (errors, access_errors) for member in vars(module).values()]
    classes = {member for member in members if inspect.isclass(member) and issubclass(member, errors.FacenetError)}
    raised = [error for error in classes if error in RAISED_TOO or not error.__subclasses__()]
    return sorted(raised, key=lambda error: error.__name__)


@pytest.mark.parametrize("error", [error for error in raised_classes() if not issubclass(error, RESULTS)])
def test_every_error_that_refuses_a_request_has_a_status(error: type[errors.FacenetError]) -> None:
    assert 400 <= STATUS[error] < 600
    assert error.code != errors.FacenetError.code


def test_every_status_belongs_to_an_error_that_refuses_a_request() -> None:
    assert set(STATUS) == {error for error in raised_classes() if not issubclass(error, RESULTS)}


@pytest.fixture
def failing_app(app: FastAPI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    """Return the application with two routes that fail."""
    for path in ("/mistake", "/startup"):
        monkeypatch.setitem(NEEDS, ("GET", path), Need(None))
    app_with_failures = build_app(Settings(data_dir=tmp_path), app.state.services)

    @app_with_failures.get("/mistake")
    async def raise_key_error() -> None:
        raise KeyError(PRIVATE_TEXT)

    @app_with_failures.get("/startup")
    async def raise_startup_error() -> None:
        raise command_errors.ModelFileError(PRIVATE_TEXT)

    return app_with_failures


@pytest.mark.parametrize(("path", "name"), [("/mistake", "KeyError"), ("/startup", "ModelFileError")])
async def test_an_internal_error_is_500_and_is_logged_without_its_message(
    failing_app: FastAPI, path: str, name: str
) -> None:
    with capture_logs() as lines:
        async with connect_to_app(failing_app) as client:
            answer = await client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"]
    logged_error = next(line for line in lines if line["event"] == "failed")
    assert logged_error["error"] == name
    assert logged_error["at"][-1].startswith(f"{__name__}:")
    assert PRIVATE_TEXT not in f"{answer.text} {lines}"


async def test_a_problem_has_a_title_a_status_a_code_and_a_detail(client: httpx.AsyncClient) -> None:
    answer = await client.get("/collections/nowhere")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "code": "collection_not_found",
        "detail": "No collection has this id, or the access key does not include it. GET /collections lists them "
        "(scope `read`), and PUT /collections/{id} creates one (scope `enrol`).",
    }


async def test_a_gallery_that_cannot_be_read_is_503(app: FastAPI, tmp_path: Path) -> None:
    services: Services = app.state.services
    with open_gallery(tmp_path, "exact") as gallery:
        services_with_gallery = replace(
            services, gallery=gallery, models=LoadedModels(ProbeReader(services.probes.pipeline, gallery))
        )
        async with connect_to_app(build_app(Settings(data_dir=tmp_path), services_with_gallery)) as client:
            assert (await client.get("/readyz")).status_code == 200
            with closing(sqlite3.connect(tmp_path / DATABASE_FILE)) as database:
                database.execute("ALTER TABLE collections RENAME TO lost")
            for method, path in (("GET", "/readyz"), ("GET", "/collections"), ("PUT", "/collections/new")):
                answer = await client.request(method, path)
                assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
                assert answer.headers["retry-after"] == "10"
            assert (await client.get("/livez")).status_code == 200
            assert (await client.get("/model")).status_code == 200


async def test_a_gallery_whose_files_are_gone_is_503_with_the_reason(app: FastAPI, tmp_path: Path) -> None:
    services: Services = app.state.services
    with open_gallery(tmp_path, "exact") as gallery:
        probes = ProbeReader(services.probes.pipeline, gallery)
        application = build_app(
            Settings(data_dir=tmp_path), replace(services, gallery=gallery, models=LoadedModels(probes))
        )
        async with connect_to_app(application) as client:
            (tmp_path / DATABASE_FILE).unlink()
            for method, path in (("PUT", "/collections/new"), ("GET", "/readyz"), ("GET", "/collections")):
                answer = await client.request(method, path)
                assert (answer.status_code, answer.json()["code"]) == (503, "storage_lost")
                assert "the database was moved or deleted" in answer.json()["detail"]
                assert str(tmp_path) not in answer.text
            assert (await client.get("/livez")).status_code == 200


async def test_nothing_that_a_client_sends_is_in_the_log(client: httpx.AsyncClient, obama: bytes) -> None:
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
async def test_an_error_does_not_repeat_what_was_sent(
    client: httpx.AsyncClient, path: str, fields: dict[str, object]
) -> None:
    answer = await client.post(path, json=fields)
    assert answer.status_code == 422
    assert answer.json()["errors"]
    assert "lovelace" not in answer.text
