"""The frame of the console: navigation, the access key, small screens, large text."""

from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.console.conftest import NARROW, WIDE, OpenPage, choose_page, double_the_text, require_no_barrier
from tests.support.reverse_proxy import run_reverse_proxy
from tests.support.running_service import RunningService, run_service

pytestmark = pytest.mark.slow

PAGES = ("compare", "identify", "people", "clusters", "service")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
def test_every_page_opens_without_a_barrier(open_page: OpenPage, scheme: str, viewport: dict[str, int]) -> None:
    page = open_page("", color_scheme=scheme, viewport=viewport)
    for path in PAGES:
        choose_page(page, path)
        expect(page.locator("h1")).to_have_text(path.capitalize())
        require_no_barrier(page)


def test_the_text_can_be_twice_as_large_on_a_narrow_screen(open_page: OpenPage) -> None:
    page = open_page("compare", viewport=NARROW)
    double_the_text(page)
    for path in PAGES:
        choose_page(page, path)
        require_no_barrier(page)


def test_the_navigation_works_with_the_keyboard(open_page: OpenPage) -> None:
    page = open_page("compare")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the page")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_be_focused()
    page.locator('nav a[href="#/compare"]').focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Identify")
    expect(page.locator("h1")).to_be_focused()


def test_the_browser_refuses_to_make_html_of_text(chromium: Browser, service: RunningService) -> None:
    page = chromium.new_page()
    page.goto(f"{service.url}/")
    write = "try { document.body.innerHTML = '<p>'; 'written' } catch (error) { error.name }"
    assert page.evaluate(write) == "TypeError"
    page.close()


def test_everything_works_under_a_sub_path(
    open_page: OpenPage, models_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    settings = {"FACE_ROOT_PATH": "/tools/faces", "FACE_ALLOWED_HOSTS": "faces.example.com"}
    with (
        run_service(tmp_path_factory.mktemp("home") / "data", models_dir, **settings) as service,
        run_reverse_proxy(service.url, "/tools/faces", removes_sub_path=True) as url,
    ):
        page = open_page("compare", url=url)
        page.get_by_role("button", name="Try it with two drawn faces").click()
        expect(page.locator(".verdict")).to_contain_text("The same person")
        expect(page.get_by_role("link", name="API")).to_have_attribute("href", f"{url}/docs")


@pytest.mark.parametrize("address", ["nothing", "%", "compare/%zz"])
def test_an_address_that_does_not_exist_shows_the_first_page(open_page: OpenPage, address: str) -> None:
    expect(open_page(address).locator("h1")).to_have_text("Compare")


def test_the_key_is_asked_for_and_is_never_in_the_address(open_page: OpenPage, service: RunningService) -> None:
    """This is the last test of the file: from now on, the service wants a key."""
    first = httpx.post(f"{service.url}/keys", json={"scopes": ["admin", "read"]}).raise_for_status()
    page = open_page("service")
    dialog = page.get_by_role("dialog", name="Access key")
    expect(dialog).to_be_visible()
    require_no_barrier(page)
    page.get_by_label("Key", exact=True).fill("wrong")
    page.keyboard.press("Enter")
    expect(dialog).to_contain_text("does not know this key")
    page.get_by_label("Key", exact=True).fill(first.json()["key"])
    page.get_by_role("button", name="Use this key").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("button", name="Key in use")).to_be_visible()
    assert first.json()["key"] not in page.url
    stored = "sessionStorage.length + localStorage.length + document.cookie.length"
    assert page.evaluate(stored) == 0
    page.get_by_role("button", name="Key in use").click()
    page.get_by_label("Key", exact=True).fill(first.json()["key"])
    page.get_by_label("Keep it until this tab is closed").check()
    page.get_by_role("button", name="Use this key").click()
    page.reload()
    expect(page.get_by_role("button", name="Key in use")).to_be_visible()
    page.get_by_role("button", name="Key in use").click()
    page.evaluate("window.isSamePage = true")
    page.get_by_role("button", name="Forget the key").click()
    expect(dialog).to_contain_text("asks for an access key")
    assert page.evaluate(stored) == 0
    assert not page.evaluate("window.isSamePage ?? false"), "what was shown with the key is still in memory"
