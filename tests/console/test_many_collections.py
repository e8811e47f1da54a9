"""More collections than the service lists in one answer, or than the page shows at once."""

from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from tests.console.conftest import NARROW, PHONE, WIDE, OpenPage, double_the_text, keep_picture, require_no_barrier
from tests.support.running_service import RunningService, run_service

pytestmark = pytest.mark.slow

COLLECTIONS = 1_010
"""The service lists at most 1,000 in an answer."""
LAST = "site-1009"
MOST_SHOWN = 50
"""If there are more, the page has a field for a search."""


@pytest.fixture(scope="module", autouse=True)
def collections(service: RunningService) -> None:
    make_collections(service, COLLECTIONS)


def make_collections(service: RunningService, count: int) -> None:
    with httpx.Client(base_url=service.url, timeout=60) as api:
        for number in range(count):
            api.put(f"/collections/site-{number:04}").raise_for_status()


@pytest.mark.parametrize("path", ["people", "service"])
@pytest.mark.parametrize("viewport", [WIDE, PHONE, NARROW], ids=["1280", "375", "320"])
def test_the_last_collection_is_found_by_a_part_of_its_name(
    open_page: OpenPage, path: str, viewport: dict[str, int]
) -> None:
    page = open_page(path, viewport=viewport)
    expect(page.get_by_text("1,011 of 1,011 collections. The first 50 are shown")).to_be_visible()
    row = page.get_by_role("row").filter(has_text=LAST)
    expect(row).to_have_count(0)
    page.get_by_label("Find a collection").fill("E-1009")
    expect(row).to_be_visible()
    expect(page.get_by_text("1 of 1,011 collections.")).to_be_visible()
    require_no_barrier(page)
    keep_picture(page, f"{path}-collections-{viewport['width']}")
    double_the_text(page)
    require_no_barrier(page)
    page.get_by_label("Find a collection").fill("nowhere")
    expect(page.get_by_text("No collection has this in its name.")).to_be_visible()


def test_the_last_collection_can_be_chosen_to_be_searched(open_page: OpenPage) -> None:
    page = open_page("identify")
    page.get_by_label("Collection").select_option(LAST)
    expect(page.get_by_label("Collection")).to_have_value(LAST)


def test_a_search_ends_when_so_few_collections_are_left_that_its_field_is_gone(
    open_page: OpenPage, models_dir: Path, tmp_path: Path
) -> None:
    with run_service(tmp_path / "data", models_dir) as service:
        make_collections(service, MOST_SHOWN)  # and `default`
        page = open_page("people", url=service.url)
        page.get_by_label("Find a collection").fill("site-0007")
        expect(page.get_by_text("1 of 51 collections.")).to_be_visible()
        page.get_by_role("button", name="Delete site-0007").click()
        page.get_by_label("to confirm").fill("site-0007")
        page.get_by_role("button", name="Delete the collection").click()
        expect(page.get_by_label("Find a collection")).to_have_count(0)
        expect(page.get_by_role("table").get_by_role("link")).to_have_count(MOST_SHOWN)
