"""A real browser: the page of the API works, and pages of other origins cannot read or change anything."""

import json
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.browser import Browser, run_browser
from tests.support.running_service import RunningService

pytestmark = pytest.mark.slow

REBOUND_NAME = "evil.example"
FACES = "/collections/staff/subjects/ada/faces"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Yield a browser for which evil.example has the address of the service."""
    rebinding = f"--host-resolver-rules=MAP {REBOUND_NAME} 127.0.0.1"
    with run_browser(tmp_path_factory.mktemp("profile"), rebinding) as browser:
        yield browser


@pytest.fixture(scope="module")
def foreign_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Serve a page of another origin, and yield its port."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "page.html").write_text("<!DOCTYPE html><title>A page of a stranger</title>", "utf-8")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=folder)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_an_example_of_the_docs_runs_in_the_browser(service: RunningService, browser: Browser) -> None:
    browser.visit(f"{service.url}/docs")
    click(browser, ".opblock-post .opblock-summary-control", ".try-out__btn", ".execute")
    browser.wait_until("document.querySelector('.live-responses-table') !== null")
    assert '"verified": true' in browser.run("document.querySelector('.live-responses-table').innerText")
    assert browser.console == [], "the content policy has refused something that the page needs"


def test_the_examples_of_a_collection_run_in_the_browser(service: RunningService, browser: Browser) -> None:
    """Nothing is typed: the page fills in ids, and bodies of JSON and of lines."""
    browser.visit(f"{service.url}/docs")
    for operation in (
        "export-import_collection",
        "faces-get_face",
        "faces-enrol_embeddings",
        "faces-enrol_faces",
        "decisions-identify",
        "collections-delete_collection",
    ):
        block = f"#operations-{operation}"
        click(browser, f"{block} .opblock-summary-control", f"{block} .try-out__btn", f"{block} .execute")
        browser.wait_until(f"document.querySelector('{block} .live-responses-table tbody') !== null")
        answer = browser.run(f"document.querySelector('{block} .live-responses-table tbody').innerText")
        assert answer.startswith("2"), (operation, answer)
        assert '"refused"' not in answer


def click(browser: Browser, *selectors: str) -> None:
    """Click one thing after the other, as soon as it is there."""
    for selector in selectors:
        browser.wait_until(f"document.querySelector('{selector}') !== null")
        browser.run(f"document.querySelector('{selector}').click()")


def test_the_docs_run_no_script_that_is_not_their_own(service: RunningService, browser: Browser) -> None:
    browser.visit(f"{service.url}/docs")
    browser.run("document.body.append(Object.assign(document.createElement('script'), {text: 'window.foreign = 1'}))")
    assert browser.run("window.foreign") is None


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"], ids=["same site", "cross site"])
def test_a_page_of_another_origin_cannot_enrol_a_face(
    service: RunningService, browser: Browser, foreign_port: int, obama: bytes, host: str
) -> None:
    """The page sends what a form would send, so the browser does not ask the service first."""
    httpx.put(f"{service.url}/collections/staff").raise_for_status()
    httpx.put(f"{service.url}/collections/staff/subjects/ada", json={}).raise_for_status()
    browser.visit(f"http://{host}:{foreign_port}/page.html")
    browser.run(
        f"const photograph = new Blob([new Uint8Array({json.dumps(list(obama))})]);"
        "const form = new FormData(); form.append('images', photograph, 'a');"
        f"fetch({json.dumps(service.url + FACES)}, {{method: 'POST', mode: 'no-cors', body: form}}).catch(() => 1)"
    )
    assert httpx.get(f"{service.url}{FACES}").json()["items"] == []


def test_a_page_whose_name_leads_to_the_service_cannot_read_it(service: RunningService, browser: Browser) -> None:
    url = f"http://{REBOUND_NAME}:{urlsplit(service.url).port}"
    browser.visit(f"{url}/collections")
    assert json.loads(browser.run("document.body.innerText"))["code"] == "host_not_allowed"
    browser.run(f"fetch('{url}/collections/rebound', {{method: 'PUT'}}).catch(() => 1)")
    assert httpx.get(f"{service.url}/collections/rebound").status_code == 404
