"""The page Clusters: photographs are grouped by person, the groups are corrected, and become subjects."""

import shutil
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.console.conftest import (
    NARROW,
    PHONE,
    OpenPage,
    choose_page,
    double_the_text,
    keep_picture,
    require_no_barrier,
)
from tests.support.made_up_album import MadeUpFaces, write_album
from tests.support.paired_photographs import put_side_by_side

pytestmark = pytest.mark.slow

PEOPLE, PHOTOGRAPHS_OF_EACH = 5, 4
FIVE_GROUPS = [*(f"Group {number} 4 faces" for number in range(1, 6)), "No group 1 face"]
"""A photograph shows somebody else too."""

NEAR_THE_SCREEN = 250
"""The most faces of a long list that may be in the page: of 2,000."""


@pytest.fixture
def mixed_folder(lfw: Path, tmp_path: Path) -> Path:
    """Return a folder with four photographs of each of five people, and a file that is not readable."""
    folder = tmp_path / "album"
    folder.mkdir()
    people = [one for one in sorted((lfw / "images").iterdir()) if len(list(one.iterdir())) >= PHOTOGRAPHS_OF_EACH]
    for person in people[:PEOPLE]:
        for file in sorted(person.iterdir())[:PHOTOGRAPHS_OF_EACH]:
            shutil.copy(file, folder)
    (folder / "broken.jpg").write_bytes(b"this is not a JPEG")
    return folder


def group(page: Page, folder: Path) -> None:
    page.get_by_label("A folder of photographs: choose").set_input_files(folder)
    expect(page.locator(".group-face").first).to_be_visible(timeout=120_000)


def headings(page: Page) -> list[str]:
    return page.locator(".group-heading h2").all_inner_texts()


def test_photographs_are_grouped_corrected_and_enrolled(
    open_page: OpenPage, api: httpx.Client, mixed_folder: Path
) -> None:
    api.put("/collections/album").raise_for_status()
    page = open_page("clusters")
    group(page, mixed_folder)
    expect(page.get_by_role("table", name="Left out: 1")).to_contain_text("broken.jpg")
    assert headings(page) == FIVE_GROUPS
    expect(page.locator("main > :last-child")).to_contain_text("Other photographs")
    keep_picture(page, "clusters-groups")
    require_no_barrier(page)

    page.locator(".group-face").nth(1).click()
    page.locator(".group-face").nth(4).click()
    expect(page.get_by_role("region", name="Selected faces")).to_contain_text("2 faces selected")
    require_no_barrier(page)
    page.get_by_role("button", name="New group").click()
    expect(page.get_by_role("heading", name="Group 6")).to_contain_text("2 faces")

    page.get_by_role("button", name="Merge Group 6").click()
    page.get_by_role("radio", name="Group 3").check()
    require_no_barrier(page)
    page.get_by_role("button", name="Merge", exact=True).click()
    expect(page.get_by_role("heading", name="Group 3")).to_contain_text("6 faces")
    for _ in range(2):
        page.get_by_role("button", name="Undo the last change").click()
    expect(page.get_by_role("button", name="Undo the last change")).to_have_count(0)
    assert headings(page) == FIVE_GROUPS

    page.get_by_role("button", name="Name Group 1").click()
    page.get_by_label("Name of the person").fill("Ada Lovelace")
    page.get_by_label("Collection").select_option("album")
    require_no_barrier(page)
    keep_picture(page, "clusters-name")
    page.get_by_role("button", name="Enrol", exact=True).click()
    expect(page.get_by_text("4 enrolled")).to_be_visible(timeout=60_000)
    page.get_by_role("link", name="Ada Lovelace").click()
    expect(page.get_by_text("4 faces · since")).to_be_visible()
    (subject,) = api.get("/collections/album/subjects").json()["items"]
    assert (subject["name"], subject["faces"]) == ("Ada Lovelace", 4)

    choose_page(page, "clusters")
    expect(page.get_by_role("link", name="Ada Lovelace")).to_be_visible()  # the groups are still there


def test_a_face_of_a_photograph_of_several_people_is_enrolled_by_its_embedding(
    open_page: OpenPage, api: httpx.Client, mixed_folder: Path, tmp_path: Path
) -> None:
    """The photograph itself would be refused: it does not say which of its faces is meant."""
    api.put("/collections/pairs").raise_for_status()
    files = sorted(mixed_folder.glob("*_0*.jpg"))
    pairs = tmp_path / "pairs"
    pairs.mkdir()
    for number in range(2):
        put_side_by_side(files[number], files[number + PHOTOGRAPHS_OF_EACH], pairs / f"pair-{number}.jpg")
    page = open_page("clusters")
    group(page, pairs)
    assert headings(page) == ["Group 1 2 faces", "Group 2 2 faces"]
    page.locator(".group-face").first.click()
    page.get_by_role("button", name="Photograph", exact=True).click()
    expect(page.get_by_role("img", name="pairs/pair-0.jpg")).to_be_visible()
    page.get_by_role("button", name="Close", exact=True).click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("region", name="Selected faces")).to_be_hidden()
    page.get_by_role("button", name="Name Group 1").click()
    page.get_by_label("Name of the person").fill("ada")
    page.get_by_label("Collection").select_option("pairs")
    page.get_by_role("button", name="Enrol", exact=True).click()
    expect(page.get_by_text("2 enrolled")).to_be_visible(timeout=30_000)
    assert api.get("/collections/pairs/subjects/ada").json()["faces"] == 2


def test_the_faces_are_reached_with_the_keyboard(open_page: OpenPage, mixed_folder: Path) -> None:
    page = open_page("clusters")
    group(page, mixed_folder)
    faces = page.locator(".group-face")
    faces.first.focus()
    page.keyboard.press("ArrowRight")
    expect(faces.nth(1)).to_be_focused()
    page.keyboard.press("Space")
    expect(faces.nth(1)).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Merge Group 2")).to_be_focused()
    page.keyboard.press("Escape")
    expect(faces.nth(1)).to_have_attribute("aria-pressed", "false")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE, NARROW], ids=["375", "320"])
def test_a_small_screen_shows_all_without_a_barrier(
    open_page: OpenPage, mixed_folder: Path, scheme: str, viewport: dict[str, int]
) -> None:
    page = open_page("clusters", color_scheme=scheme, viewport=viewport)
    group(page, mixed_folder)
    page.locator(".group-face").first.click()
    require_no_barrier(page)
    keep_picture(page, f"clusters-{viewport['width']}-{scheme}")
    double_the_text(page)
    require_no_barrier(page)


def test_the_faces_are_grouped_again_with_another_threshold(open_page: OpenPage, mixed_folder: Path) -> None:
    page = open_page("clusters")
    group(page, mixed_folder)
    page.get_by_text("Too many groups, or mixed ones?").click()
    require_no_barrier(page)
    page.get_by_label("Threshold").fill("4")
    page.get_by_role("button", name="Group again").click()
    expect(page.get_by_text("two faces of one photograph")).to_be_visible()
    assert headings(page) == ["Group 1 21 faces"]


def test_the_grouping_can_be_stopped(open_page: OpenPage, mixed_folder: Path) -> None:
    page = open_page("clusters")
    page.route("**/embed?*", lambda _route: None)  # the service does not answer
    page.get_by_label("A folder of photographs: choose").set_input_files(mixed_folder)
    expect(page.get_by_text("0 of 21 photographs")).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("A folder of photographs")).to_be_visible()


def test_2000_faces_are_grouped_with_few_of_them_in_the_page(
    open_page: OpenPage, api: httpx.Client, tmp_path: Path
) -> None:
    folder = tmp_path / "many"
    write_album(folder)
    page = open_page("clusters")
    model = api.get("/model").json()
    page.route("**/embed?*", MadeUpFaces({name: model[name] for name in ("name", "id", "dimension")}).answer)
    group(page, folder)
    expect(page.get_by_text("2000 faces, 500 photographs")).to_be_visible()
    keep_face_count(page)
    for _ in range(20):
        page.mouse.wheel(0, 3000)
        keep_face_count(page)
    page.locator(".group-face").last.focus()
    keep_face_count(page)
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    expect(page.locator(".group-face img").last).to_be_visible()
    keep_face_count(page)


def keep_face_count(page: Page) -> None:
    assert 0 < page.locator(".group-face").count() < NEAR_THE_SCREEN
