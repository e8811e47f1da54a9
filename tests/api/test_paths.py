"""Each path has one spelling and a list of allowed methods."""

import httpx
import pytest

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/verify", 405, "method_not_allowed"),
        ("POST", "/collections/default", 405, "method_not_allowed"),
    ],
)
async def test_unknown_paths_and_methods_are_answered_with_a_problem(
    client: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    answer = await client.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/livez/", "/collections/", "/collections/default/", "//livez", "/verify/"])
async def test_a_path_has_one_spelling(client: httpx.AsyncClient, path: str) -> None:
    """There is no redirect (307): its address would contain the Host header."""
    url = httpx.URL("http://localhost").copy_with(raw_path=path.encode())  # as it is: httpx takes //livez for a host
    answer = await client.get(url)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/verify", "POST"),
        ("/livez", "GET, HEAD"),
        ("/collections/default", "GET, HEAD, PUT, PATCH, DELETE"),
        ("/collections/default/subjects", "GET, HEAD, POST"),
        ("/collections/default/subjects/ada", "GET, HEAD, PUT, PATCH, DELETE"),
        ("/collections/default/subjects/ada/merge", "POST"),
        ("/collections/default/faces/f1", "GET, HEAD, PATCH, DELETE"),
        ("/static-offline-docs/swagger-ui.css", "GET, HEAD"),
    ],
)
async def test_the_answer_to_a_wrong_method_lists_the_allowed_methods(
    client: httpx.AsyncClient, path: str, methods: str
) -> None:
    answer = await client.request("OPTIONS", path)
    assert (answer.status_code, answer.headers["allow"]) == (405, methods)


async def test_head_is_answered_like_get(client: httpx.AsyncClient) -> None:
    for path in ("/livez", "/collections/default", "/docs", "/openapi.json"):
        assert (await client.head(path)).status_code == 200
    assert (await client.head("/collections/nowhere")).status_code == 404
    assert (await client.head("/verify")).status_code == 405
