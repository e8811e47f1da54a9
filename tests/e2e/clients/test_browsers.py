"""A web page of another origin calls the service, and a browser checks the headers of CORS."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.raw_requests import head_of, open_connection, read_answer
from tests.support.running_service import RunningService, run_service
from tests.support.sample_images import png_without_face

pytestmark = pytest.mark.slow

PAGE = "https://app.example.com"
OTHER_PAGE = "https://other.example.com"


@pytest.fixture(scope="module")
def open_service(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    settings = {"FACE_CORS_ORIGINS": f"{PAGE}, http://localhost:3000", "FACE_LIMITS__UPLOAD_IDLE_S": "0.5"}
    with run_service(tmp_path_factory.mktemp("home") / "data", models_dir, **settings) as service:
        yield service


def preflight(service: RunningService, origin: str, method: str = "POST") -> httpx.Response:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "content-type, x-request-id",
    }
    return httpx.options(f"{service.url}/identify", headers=headers)


@pytest.mark.parametrize("origin", [PAGE, "http://localhost:3000"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_the_preflight_of_an_allowed_origin_is_answered(open_service: RunningService, origin: str, method: str) -> None:
    answer = preflight(open_service, origin, method)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == origin
    assert method in answer.headers["access-control-allow-methods"]


def test_another_origin_is_not_allowed(open_service: RunningService) -> None:
    assert "access-control-allow-origin" not in preflight(open_service, OTHER_PAGE).headers
    answer = httpx.get(f"{open_service.url}/livez", headers={"Origin": OTHER_PAGE})
    assert "access-control-allow-origin" not in answer.headers


def test_no_origin_is_allowed_by_default(service: RunningService) -> None:
    answer = preflight(service, PAGE)
    assert answer.status_code == 405
    assert not any(name.startswith("access-control") for name in answer.headers)


def test_a_page_can_read_answers_and_their_headers(open_service: RunningService) -> None:
    answer = httpx.post(
        f"{open_service.url}/identify", files={"image": png_without_face()}, headers={"Origin": PAGE}, timeout=30
    )
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert "X-Request-ID" in answer.headers["access-control-expose-headers"]


@pytest.mark.parametrize(
    ("length", "status"),
    [(10, 408), (33 * 2**20, 413), (0, 422)],
    ids=["an upload that stops", "a body that is too large", "a form without parts"],
)
def test_a_page_can_read_refusals(open_service: RunningService, length: int, status: int) -> None:
    with open_connection(open_service) as connection:
        connection.sendall(head_of(length, Origin=PAGE, Expect="100-continue" if status == 413 else ""))
        answer = read_answer(connection)
    assert answer.status == status
    assert answer.headers["access-control-allow-origin"] == PAGE
