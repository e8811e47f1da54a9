"""The console in a real browser: Debian's Chromium, controlled by Playwright."""

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from tests.support.browser import find_chromium
from tests.support.running_service import RunningService, run_service

WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 320, "height": 640}
PHONE = {"width": 375, "height": 812}
TIMEOUT_MS = 60_000
SHOTS = Path(__file__).parents[2] / "var" / "console"
"""Pictures of the pages, for those who change them."""


@pytest.fixture(scope="module")
def service(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with run_service(tmp_path_factory.mktemp("home") / "data", models_dir) as service:
        yield service


@pytest.fixture
def api(service: RunningService) -> Iterator[httpx.Client]:
    """Yield a client of the service, to see what the page has done."""
    with httpx.Client(base_url=service.url, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Yield a browser. It ends with the module: its event loop would stop the asynchronous tests of others."""
    command = find_chromium()
    if command is None:
        pytest.skip("Chromium is not installed")
    expect.set_options(timeout=TIMEOUT_MS)  # tests run in parallel, and a busy machine is slow
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        browser = playwright.chromium.launch(executable_path=command, args=options)
        yield browser
        browser.close()


OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(chromium: Browser, service: RunningService) -> Iterator[OpenPage]:
    """Return a function that opens a page of the console, such as `open_page("compare", viewport=NARROW)`.

    At the end, no page has written an error to its console, or called another host.
    """
    complaints: list[str] = []
    contexts = []

    def open_page(path: str, url: str = service.url, **options: object) -> Page:
        context = chromium.new_context(**{"viewport": WIDE} | options)  # type: ignore[arg-type]
        contexts.append(context)
        context.set_default_timeout(TIMEOUT_MS)
        page = context.new_page()
        page.on("console", lambda message: complaints.extend(_complaint(message.type, message.text)))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.extend(_foreign(request.url, url)))
        page.goto(f"{url}/#/{path}")
        page.wait_for_selector("h1")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def _complaint(kind: str, text: str) -> list[str]:
    """Return what the page complains of. That the service refused a call is shown to the user, and is no error."""
    return [text] if kind in {"error", "warning"} and "the server responded with a status of" not in text else []


def _foreign(address: str, url: str) -> list[str]:
    parts = urlsplit(address)
    return [] if parts.scheme in {"blob", "data"} or parts.netloc == urlsplit(url).netloc else [address]


def choose_page(page: Page, path: str) -> None:
    """Click a page in the navigation. The path at the top of a page has links with the same addresses."""
    page.get_by_role("navigation", name="Pages").locator(f'a[href="#/{path}"]').click()


def hold_deletions(page: Page, pattern: str) -> list[Route]:
    """Hold each DELETE to an address of the pattern before the service gets it, and return those that wait."""
    held: list[Route] = []
    page.route(pattern, lambda route: held.append(route) if route.request.method == "DELETE" else route.continue_())
    return held


def answer_deletion(page: Page, held: Route) -> None:
    """Let the service answer a deletion that was held, and give the page the time to show the answer."""
    with page.expect_response(lambda one: one.request.method == "DELETE"):
        held.continue_()
    page.wait_for_timeout(500)


def require_no_barrier(page: Page) -> None:
    """Fail if axe-core finds a barrier (WCAG 2.2, A and AA), or if the page is wider than the screen."""
    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    results = Axe().run(page, options=rules)
    assert results.violations_count == 0, results.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def double_the_text(page: Page) -> None:
    """Make the text twice as large, as a user can in the settings of a browser."""
    page.evaluate("document.documentElement.style.fontSize = '200%'")


def keep_picture(page: Page, name: str) -> None:
    """Write a picture of the whole page to var/console."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png", full_page=True)
