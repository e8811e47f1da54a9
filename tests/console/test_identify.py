"""The page Identify in a browser: a group photograph, and who is in it."""

import io
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.console.conftest import (
    NARROW,
    PHONE,
    WIDE,
    OpenPage,
    choose_page,
    double_the_text,
    keep_picture,
    require_no_barrier,
)
from tests.support.running_service import RunningService

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def enrolled(service: RunningService, photographs: Path) -> None:
    """Enrol one person by name, and another one twice, so that it is ambiguous."""
    subjects = {"obama": "Barack Obama", "biden": "Joe Biden", "biden_2": "The same man"}
    for subject, name in subjects.items():
        url = f"{service.url}/collections/default/subjects/{subject}"
        httpx.put(url, json={"name": name}).raise_for_status()
        folder = photographs / subject.partition("_")[0]
        photograph = folder / f"{folder.name}.jpg"
        turned = Image.open(photograph).rotate(4 if subject == "biden_2" else 0)
        data = io.BytesIO()
        turned.convert("RGB").save(data, "JPEG")
        httpx.post(f"{url}/faces", files={"images": data.getvalue()}, timeout=60).raise_for_status()


@pytest.fixture(scope="module")
def group(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a photograph of an enrolled person, an ambiguous one and a stranger, from left to right."""
    names = ("obama/obama3.jpg", "biden/biden.jpg", "eileen_collins/astronaut.png")
    people = [Image.open(photographs / name).convert("RGB") for name in names]
    people = [image.resize((image.width * 600 // image.height, 600)) for image in people]
    group = Image.new("RGB", (sum(image.width for image in people), 600))
    left = 0
    for image in people:
        group.paste(image, (left, 0))
        left += image.width
    path = tmp_path_factory.mktemp("group") / "group.jpg"
    group.save(path, quality=92)
    return path


def identify(page: Page, photograph: Path) -> None:
    page.locator("input[type=file]").set_input_files(photograph)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_face_is_named_ambiguous_or_unknown(open_page: OpenPage, group: Path, scheme: str) -> None:
    page = open_page("identify", color_scheme=scheme)
    identify(page, group)
    expect(page.locator(".face-list button")).to_have_text(["1. Barack Obama", "2. ambiguous", "3. unknown"])
    expect(page.locator(".face-box")).to_have_count(3)
    require_no_barrier(page)
    keep_picture(page, f"identify-wide-{scheme}")


def test_the_candidates_of_a_face_are_shown_on_a_click(open_page: OpenPage, group: Path) -> None:
    page = open_page("identify")
    identify(page, group)
    page.get_by_role("button", name="Face 2: ambiguous").click()
    card = page.get_by_role("region", name="Face 2")
    expect(card).to_contain_text("Two subjects are nearly equally near")
    nearest = card.locator(".candidate-name").all_inner_texts()[:2]
    assert set(nearest) == {"Joe Biden", "The same man"}


def test_the_faces_can_be_chosen_with_the_keyboard_on_a_narrow_screen(open_page: OpenPage, group: Path) -> None:
    page = open_page("identify", viewport=NARROW)
    identify(page, group)
    page.locator(".face-list button").nth(2).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Face 3")).to_contain_text("No enrolled subject is near enough")
    require_no_barrier(page)
    keep_picture(page, "identify-narrow")
    double_the_text(page)
    require_no_barrier(page)


def test_another_collection_can_be_searched(open_page: OpenPage, group: Path, service: RunningService) -> None:
    httpx.put(f"{service.url}/collections/empty").raise_for_status()
    page = open_page("identify")
    identify(page, group)
    expect(page.locator(".face-list")).to_contain_text("Barack Obama")
    page.get_by_label("Collection").select_option("empty")
    expect(page.locator(".identify-photo")).to_contain_text("The collection has no faces yet")
    expect(page.locator(".face-list button")).to_have_text(["1. unknown", "2. unknown", "3. unknown"])


def test_a_photograph_without_a_face_is_said_to_have_none(open_page: OpenPage, tmp_path: Path) -> None:
    Image.new("RGB", (400, 300), "white").save(tmp_path / "white.png")
    page = open_page("identify")
    identify(page, tmp_path / "white.png")
    expect(page.get_by_text("No face was found in this photograph.")).to_be_visible()


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["1280", "375"])
def test_the_threshold_can_be_chosen(open_page: OpenPage, group: Path, viewport: dict[str, int]) -> None:
    page = open_page("identify", viewport=viewport)
    with page.expect_request("**/identify?*") as first:
        identify(page, group)
    assert "threshold" not in first.value.url
    expect(page.locator(".face-list")).to_contain_text("Barack Obama")
    summary = page.locator(".identify-photo")
    field = page.get_by_label("Threshold")
    field.fill("0.1")
    field.press("Enter")
    expect(summary).to_contain_text("Threshold 0.100")
    expect(page.locator(".face-list button").first).to_have_text("1. unknown")
    require_no_barrier(page)
    keep_picture(page, f"identify-threshold-{viewport['width']}")
    choose_page(page, "compare")
    choose_page(page, "identify")
    expect(field).to_have_value("0.1")
    expect(summary).to_contain_text("Threshold 0.100")
    field.fill("")
    field.press("Enter")
    expect(page.locator(".face-list")).to_contain_text("Barack Obama")


def test_a_threshold_that_no_distance_has_is_not_sent(open_page: OpenPage, group: Path) -> None:
    page = open_page("identify")
    identify(page, group)
    expect(page.locator(".face-list")).to_contain_text("Barack Obama")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if "/identify?" in request.url else None)
    field = page.get_by_label("Threshold")
    field.fill("5")
    field.press("Enter")
    assert field.evaluate("(input) => input.validity.rangeOverflow")
    expect(page.locator(".face-list")).to_contain_text("Barack Obama")
    field.fill("0.1")
    field.press("Enter")
    expect(page.locator(".identify-photo")).to_contain_text("Threshold 0.100")
    assert [parse_qs(urlsplit(url).query)["threshold"] for url in sent] == [["0.1"]]


def test_the_answer_stays_when_a_refused_threshold_is_taken_back(open_page: OpenPage, group: Path) -> None:
    page = open_page("identify")
    identify(page, group)
    expect(page.locator(".face-list")).to_contain_text("Barack Obama")
    field = page.get_by_label("Threshold")
    for value in ("5", ""):
        field.fill(value)
        field.press("Enter")
    page.evaluate("() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    expect(page.locator(".face-list")).to_contain_text("Barack Obama")
