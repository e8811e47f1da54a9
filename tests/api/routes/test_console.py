"""`/` and the files of the console over HTTP."""

import gzip

import httpx
import pytest

from service.api.routes.pages.home import FOLDER

pytestmark = pytest.mark.anyio

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


async def test_a_program_gets_the_addresses(client: httpx.AsyncClient) -> None:
    answer = await client.get("/")
    home = answer.json()
    assert (answer.status_code, home["service"]) == (200, "FaceNet service")
    for name in ("console", "docs", "openapi", "alive", "ready"):
        assert (await client.get(home[name])).status_code == 200


async def test_a_browser_gets_a_page_that_loads_only_its_own_files(client: httpx.AsyncClient) -> None:
    answer = await client.get("/", headers=BROWSER)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(rule.split(" ", 1) for rule in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert "http" not in answer.headers["content-security-policy"]


async def test_a_file_is_sent_again_only_if_it_has_changed(client: httpx.AsyncClient) -> None:
    first = await client.get("/console/app.js")
    assert first.headers["cache-control"] == "no-cache"
    second = await client.get("/console/app.js", headers={"If-None-Match": first.headers["etag"]})
    assert (second.status_code, second.content) == (304, b"")
    other = await client.get("/console/api.js", headers={"If-None-Match": first.headers["etag"]})
    assert other.status_code == 200


async def test_a_file_is_compressed_only_for_clients_that_can_read_it(client: httpx.AsyncClient) -> None:
    content = (FOLDER / "app.js").read_bytes()
    for encoding, expected in (("gzip, br", content), ("identity", content)):
        answer = await client.get("/console/app.js", headers={"Accept-Encoding": encoding})
        assert answer.content == expected
        assert ("content-encoding" in answer.headers) == ("gzip" in encoding)
    assert len(gzip.compress(content)) < len(content)


@pytest.mark.parametrize("path", ["", "nothing.js", "README.md", "../app.py", "%2e%2e/app.py", "vendor", "vendor/"])
async def test_nothing_else_is_served(client: httpx.AsyncClient, path: str) -> None:
    request = client.build_request("GET", "http://localhost/")
    request.url = httpx.URL("http://localhost").copy_with(raw_path=f"/console/{path}".encode())
    answer = await client.send(request)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
