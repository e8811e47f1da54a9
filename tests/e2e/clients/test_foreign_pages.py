"""Pages of other origins cannot change anything, foreign hosts are refused, and answers have headers for browsers."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from service.app import describe_app
from service.settings.environment import Settings
from tests.support.raw_requests import form_of, head_of, open_connection, read_answer
from tests.support.running_service import RunningService, run_service
from tests.support.sample_images import png_without_face

pytestmark = pytest.mark.slow

SAFE = {"get", "head", "options"}
OPERATIONS = [
    (method, re.sub(r"{\w+}", "x", path))
    for path, operations in describe_app(Settings()).openapi()["paths"].items()
    for method in operations
]
UNSAFE_OPERATIONS = [(method, path) for method, path in OPERATIONS if method not in SAFE]
FOREIGN_PAGES = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]
NAMED_PAGE = "https://app.example.com"
NAMED_HOST = "faces.example.com"
FORM = form_of(png_without_face())


@pytest.fixture(scope="module")
def open_service(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Yield a service that names a host and the origin of a page."""
    settings = {"FACE_ALLOWED_HOSTS": f"{NAMED_HOST}, *.svc", "FACE_CORS_ORIGINS": NAMED_PAGE}
    with run_service(tmp_path_factory.mktemp("home") / "data", models_dir, **settings) as service:
        yield service


def identify_from(service: RunningService, **headers: str) -> int:
    with open_connection(service) as connection:
        connection.sendall(head_of(len(FORM), **headers) + FORM)
        return read_answer(connection).status


@pytest.mark.parametrize("headers", FOREIGN_PAGES, ids=str)
@pytest.mark.parametrize(("method", "path"), UNSAFE_OPERATIONS)
def test_every_route_that_may_change_something_refuses_foreign_pages(
    service: RunningService, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = httpx.request(method, f"{service.url}{path}", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "origin_not_allowed")
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example"]
)
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_route_refuses_foreign_hosts(service: RunningService, method: str, path: str, host: str) -> None:
    answer = httpx.request(method, f"{service.url}{path}", headers={"Host": host})
    assert (answer.status_code, answer.json()["code"]) == (421, "host_not_allowed")
    assert answer.headers["content-type"] == "application/problem+json"


def test_there_are_routes_to_refuse() -> None:
    assert {method for method, _ in UNSAFE_OPERATIONS} == {"post", "put", "patch", "delete"}


def test_a_refused_page_has_changed_nothing(service: RunningService) -> None:
    for method, foreign in (("PUT", FOREIGN_PAGES[0]), ("PUT", {"Host": "evil.example"})):
        httpx.request(method, f"{service.url}/collections/guessed", headers=foreign)
    assert httpx.get(f"{service.url}/collections/guessed").status_code == 404


def test_a_refusal_is_read_by_a_client_that_still_sends(service: RunningService) -> None:
    with open_connection(service) as connection:
        connection.sendall(head_of(2**20, Origin="https://evil.example") + bytes(2**20))
        assert read_answer(connection).code == "origin_not_allowed"


@pytest.mark.parametrize(
    "headers",
    [{}, {"Sec_Fetch_Site": "same-origin"}, {"Sec_Fetch_Site": "none"}, {"Origin": "http://localhost"}],
    ids=["no browser", "a page of the service", "the user", "a page of the service in an old browser"],
)
def test_other_clients_and_the_own_pages_are_served(service: RunningService, headers: dict[str, str]) -> None:
    assert identify_from(service, **headers) == 200


def test_a_page_behind_a_proxy_that_changes_the_host_is_served(service: RunningService) -> None:
    """The browser says that the page is of the same origin. A page cannot change this header."""
    assert identify_from(service, Origin="https://faces.example.com", Sec_Fetch_Site="same-origin") == 200


def test_the_page_of_a_named_origin_is_served(open_service: RunningService) -> None:
    assert identify_from(open_service, Origin=NAMED_PAGE, Sec_Fetch_Site="cross-site") == 200
    assert identify_from(open_service, Origin="https://evil.example", Sec_Fetch_Site="cross-site") == 403


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "127.0.0.1:8000", "10.1.2.3", "[::1]:8000", "[fd00::7]"])
@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
def test_probes_call_an_address_or_localhost(service: RunningService, host: str, path: str) -> None:
    assert httpx.get(f"{service.url}{path}", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", [NAMED_HOST, f"{NAMED_HOST.upper()}:8000", "facenet.faces.svc"])
def test_named_hosts_are_served(open_service: RunningService, host: str) -> None:
    assert httpx.get(f"{open_service.url}/livez", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", [f"x.{NAMED_HOST}", "svc", "evil-svc", "example.com"])
def test_names_like_a_named_host_are_refused(open_service: RunningService, host: str) -> None:
    assert httpx.get(f"{open_service.url}/livez", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize(
    "path", ["/livez", "/docs", "/openapi.json", "/static-offline-docs/swagger-ui.css", "/nothing"]
)
def test_every_answer_says_what_a_browser_may_do_with_it(service: RunningService, path: str) -> None:
    headers = httpx.get(f"{service.url}{path}").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    "path", ["/collections", "/collections/default/subjects", "/model", "/openapi.json", "/nothing"]
)
def test_no_browser_or_proxy_may_keep_an_answer(service: RunningService, path: str) -> None:
    assert httpx.get(f"{service.url}{path}").headers["cache-control"] == "no-store"
