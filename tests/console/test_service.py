"""The page Service in a browser: metrics, model and collections."""

import httpx
import pytest
from playwright.sync_api import expect

from tests.console.conftest import NARROW, OpenPage, double_the_text, keep_picture, require_no_barrier
from tests.support.running_service import RunningService

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_shows_what_the_service_does(
    open_page: OpenPage, service: RunningService, obama: bytes, obama2: bytes, scheme: str
) -> None:
    page = open_page("service", color_scheme=scheme)
    expect(page.get_by_role("heading", name="Now")).to_be_visible()
    httpx.post(f"{service.url}/verify", files={"image_a": obama, "image_b": obama2}, timeout=60).raise_for_status()
    httpx.post(f"{service.url}/verify", files={"image_a": b"x", "image_b": obama2}, timeout=60)
    expect(page.get_by_role("row", name="verify: match")).to_be_visible()
    expect(page.get_by_role("row", name="unreadable_image")).to_be_visible()
    expect(page.get_by_role("row", name="detect")).to_contain_text("ms")
    expect(page.locator(".badge").first).to_have_text("ready")
    expect(page.locator(".rate-chart path")).to_have_count(1)
    expect(page.get_by_text("two people match in 1 in 1,400")).to_be_visible()
    require_no_barrier(page)
    keep_picture(page, f"service-wide-{scheme}")


def test_the_page_fits_a_narrow_screen(open_page: OpenPage) -> None:
    page = open_page("service", viewport=NARROW)
    expect(page.get_by_role("heading", name="Now")).to_be_visible()
    expect(page.get_by_role("row", name="default")).to_be_visible()
    require_no_barrier(page)
    keep_picture(page, "service-narrow")
    double_the_text(page)
    require_no_barrier(page)


def test_a_key_without_the_scope_metrics_still_sees_the_model(open_page: OpenPage, service: RunningService) -> None:
    """This is the last test of the file: from now on, the service wants a key."""
    first = httpx.post(f"{service.url}/keys", json={"scopes": ["admin", "read"]}).raise_for_status().json()["key"]
    page = open_page("service")
    page.get_by_label("Key", exact=True).fill(first)
    page.get_by_role("button", name="Use this key").click()
    expect(page.get_by_role("alert")).to_contain_text("scope_missing")
    expect(page.get_by_role("alert")).to_have_count(1)
    expect(page.get_by_role("heading", name="Model")).to_be_visible()
