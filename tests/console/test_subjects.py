"""The page People: the subjects of a collection, and their faces."""

import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.console.conftest import (
    NARROW,
    PHONE,
    WIDE,
    OpenPage,
    double_the_text,
    keep_picture,
    require_no_barrier,
)
from tests.support.enrolled_subjects import enrol, enrol_made_up, subjects_of
from tests.support.running_service import RunningService

pytestmark = pytest.mark.slow

NEAR_THE_SCREEN = 60
"""The most rows of a long list that may be in the page."""


def test_a_subject_is_made_named_and_gets_a_face(open_page: OpenPage, api: httpx.Client, photographs: Path) -> None:
    api.put("/collections/one").raise_for_status()
    page = open_page("people/one")
    page.get_by_label("Name of the person").fill("Barack Obama")
    page.get_by_role("button", name="Make the subject").click()
    expect(page.get_by_role("heading", name="Barack Obama")).to_be_visible()
    photo = photographs / "obama" / "obama.jpg"
    page.get_by_label("More photographs of this person: choose").set_input_files([photo])
    expect(page.get_by_text("1 enrolled.")).to_be_visible(timeout=30_000)
    expect(page.get_by_role("img", name="Face 1: no picture is kept")).to_be_visible()
    page.get_by_role("button", name="Rename").click()
    require_no_barrier(page)
    page.get_by_role("dialog").get_by_label("Name").fill("Barack")
    page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    expect(page.get_by_role("heading", name="Barack", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Barack").first).to_be_visible()


def test_a_face_is_moved_and_subjects_are_merged(open_page: OpenPage, api: httpx.Client, photographs: Path) -> None:
    enrol(api, "mixed", "obama", photographs / "obama" / "obama.jpg", photographs / "biden" / "biden.jpg")
    enrol(api, "mixed", "biden", photographs / "obama" / "obama3.jpg")
    enrol(api, "mixed", "joe", photographs / "eileen_collins" / "astronaut.png")
    page = open_page("people/mixed/obama")
    page.get_by_role("button", name="Move Face 2").click()
    page.get_by_label("The other subject").fill("bid")
    page.get_by_role("radio", name="Biden").check()
    require_no_barrier(page)
    keep_picture(page, "people-move")
    page.get_by_role("button", name="Move", exact=True).click()
    expect(page.get_by_text("1 face · since")).to_be_visible()
    assert subjects_of(api, "mixed") == {"biden": 2, "joe": 1, "obama": 1}
    page.get_by_role("link", name="Joe").click()
    page.get_by_role("button", name="Merge …").click()
    page.get_by_role("radio", name="Biden").check()
    page.get_by_role("button", name="Merge", exact=True).click()
    expect(page.get_by_role("heading", name="Biden")).to_be_visible()
    expect(page.get_by_text("3 faces · since")).to_be_visible()
    expect(page.get_by_role("link", name="Joe")).to_have_count(0)
    assert subjects_of(api, "mixed") == {"biden": 3, "obama": 1}


@pytest.fixture(scope="module")
def many_subjects(service: RunningService) -> str:
    """Return a collection of 5,000 subjects with made-up embeddings."""
    with httpx.Client(base_url=service.url, timeout=60) as api:
        enrol_made_up(api, "many", 5000)
    return "many"


def rows_in_page(page: Page) -> int:
    return page.locator(".subject").count()


def test_5000_subjects_are_listed_searched_and_walked_with_few_rows_in_the_page(
    open_page: OpenPage, many_subjects: str
) -> None:
    page = open_page(f"people/{many_subjects}")
    expect(page.get_by_text("5,000 subjects", exact=True)).to_be_visible(timeout=30_000)
    assert 0 < rows_in_page(page) < NEAR_THE_SCREEN
    keep_picture(page, "people-many")
    require_no_barrier(page)
    page.locator(".subject").first.focus()
    page.keyboard.press("End")
    last = page.get_by_role("link", name="Zoë Müller 4999")
    expect(last).to_be_focused()
    assert rows_in_page(page) < NEAR_THE_SCREEN
    expect(page.get_by_role("listitem").filter(has=last)).to_have_attribute("aria-posinset", "5000")
    page.get_by_label("Find a subject").fill("zoe muller 321")
    expect(page.get_by_text("11 of 5,000 subjects")).to_be_visible()
    page.get_by_label("Find a subject").press("Tab")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("link", name="Zoë Müller 3210")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Zoë Müller 3210")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE, NARROW], ids=["375", "320"])
def test_a_small_screen_shows_all_without_a_barrier(
    open_page: OpenPage, api: httpx.Client, photographs: Path, scheme: str, viewport: dict[str, int]
) -> None:
    enrol(api, "small", "obama", photographs / "obama" / "obama.jpg", photographs / "obama" / "obama2.jpg")
    for path in ("people", "people/small", "people/small/obama"):
        page = open_page(path, color_scheme=scheme, viewport=viewport)
        page.get_by_text("Loading").first.wait_for(state="detached")
        require_no_barrier(page)
        keep_picture(page, f"{path.replace('/', '-')}-{viewport['width']}-{scheme}")
        double_the_text(page)
        require_no_barrier(page)


def add_crop(route: Route) -> None:
    """Answer as a service that keeps crops."""
    faces = route.fetch().json()
    route.fulfill(json={**faces, "items": [{**face, "has_crop": True} for face in faces["items"]]})


def test_a_kept_crop_is_shown(open_page: OpenPage, api: httpx.Client, photographs: Path) -> None:
    """The picture comes from the API, with the access key, and not from an address in the page."""
    enrol(api, "pictures", "obama", photographs / "obama" / "obama.jpg")
    page = open_page("people")
    page.route("**/subjects/obama/faces?*", add_crop)
    page.route("**/crop", lambda route: route.fulfill(path=photographs / "obama" / "obama.jpg"))
    page.goto(f"{page.url}/pictures/obama")
    picture = page.get_by_role("img", name="Face 1", exact=True)
    expect(picture).to_have_attribute("src", re.compile("^blob:"))
    assert picture.evaluate("(image) => image.decode().then(() => image.naturalWidth)") > 0


def test_a_crop_that_was_deleted_meanwhile_is_a_drawn_head(
    open_page: OpenPage, api: httpx.Client, photographs: Path
) -> None:
    enrol(api, "deleted-crops", "obama", photographs / "obama" / "obama.jpg")
    page = open_page("people")
    page.route("**/subjects/obama/faces?*", add_crop)
    with page.expect_response("**/crop") as answer:  # the service keeps no crops
        page.evaluate("location.hash = '#/people/deleted-crops/obama'")
    assert answer.value.json()["code"] == "crop_not_found"
    expect(page.get_by_role("img", name="Face 1: no picture is kept")).to_be_visible()
    expect(page.get_by_text("The picture was not loaded.")).to_have_count(0)


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["1280", "375"])
def test_it_is_said_why_a_picture_was_not_loaded(
    open_page: OpenPage, api: httpx.Client, photographs: Path, viewport: dict[str, int]
) -> None:
    enrol(api, "unread-crops", "obama", photographs / "obama" / "obama.jpg", photographs / "obama" / "obama2.jpg")
    page = open_page("people", viewport=viewport)
    page.route("**/subjects/obama/faces?*", add_crop)
    problem = {"code": "storage_unavailable", "detail": "The gallery cannot be read."}
    page.route("**/crop", lambda route: route.fulfill(status=503, json=problem))
    page.evaluate("location.hash = '#/people/unread-crops/obama'")
    expect(page.get_by_role("alert")).to_have_count(1)
    expect(page.get_by_role("alert")).to_contain_text("The gallery cannot be read.")
    expect(page.get_by_role("alert")).to_contain_text("Code storage_unavailable")
    expect(page.get_by_text("The picture was not loaded.")).to_have_count(2)
    require_no_barrier(page)
    keep_picture(page, f"people-picture-problem-{viewport['width']}")
    page.unroute("**/crop")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("img", name="Face 2: no picture is kept")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
