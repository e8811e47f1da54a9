"""The page Compare in a browser, with real photographs."""

import base64
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.console.conftest import NARROW, OpenPage, choose_page, double_the_text, keep_picture, require_no_barrier

pytestmark = pytest.mark.slow


def choose(page: Page, *photographs: Path) -> None:
    for photograph in photographs:
        page.locator("input[type=file]").first.set_input_files(photograph)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_two_photographs_of_one_person_match(open_page: OpenPage, photographs: Path, scheme: str) -> None:
    page = open_page("compare", color_scheme=scheme)
    choose(page, photographs / "obama/obama.jpg", photographs / "obama/obama2.jpg")
    expect(page.locator(".verdict")).to_contain_text("The same person")
    expect(page.locator(".face-box")).to_have_count(2)
    expect(page.locator(".face-points circle")).to_have_count(10)
    require_no_barrier(page)
    keep_picture(page, f"compare-wide-{scheme}")


def test_two_people_do_not_match_on_a_narrow_screen(open_page: OpenPage, photographs: Path) -> None:
    page = open_page("compare", viewport=NARROW)
    choose(page, photographs / "obama/obama.jpg", photographs / "biden/biden.jpg")
    expect(page.locator(".verdict")).to_contain_text("Two different people")
    require_no_barrier(page)
    keep_picture(page, "compare-narrow")
    double_the_text(page)
    require_no_barrier(page)


def test_the_crop_shows_the_upright_face(open_page: OpenPage, photographs: Path) -> None:
    """The middle of the crop has the colours of a face, not the black of an empty canvas."""
    page = open_page("compare")
    choose(page, photographs / "obama/obama.jpg", photographs / "obama/obama2.jpg")
    crop = page.locator("canvas.crop").first
    expect(crop).to_be_visible()
    pixel = "canvas => [...canvas.getContext('2d').getImageData(112, 150, 1, 1).data]"
    red, green, blue, _ = crop.evaluate(pixel)
    assert red > green > blue


def test_a_moved_threshold_changes_the_decision_and_the_rates(open_page: OpenPage, photographs: Path) -> None:
    page = open_page("compare")
    choose(page, photographs / "obama/obama.jpg", photographs / "obama/obama2.jpg")
    slider = page.get_by_label("Threshold: a smaller distance is a match")
    expect(slider).to_have_value("1.242")
    expect(page.locator(".meaning")).to_contain_text("1 in 1,400")
    slider.fill("0.2")
    expect(page.locator(".verdict h2")).to_have_text("Two different people")
    expect(page.locator(".meaning")).to_contain_text("they are not known")
    page.get_by_role("button", name="FMR 1 in 10,000").click()
    expect(page.locator(".verdict h2")).to_have_text("The same person")
    slider.press("ArrowRight")
    assert float(slider.input_value()) > 1.1
    page.get_by_role("button", name="Default").click()
    expect(slider).to_have_value("1.242")


def test_the_problem_of_a_photograph_is_shown_beside_it(open_page: OpenPage, photographs: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no photograph")
    page = open_page("compare")
    choose(page, photographs / "obama/obama.jpg", broken)
    second = page.get_by_role("region", name="Second photograph")
    expect(second.get_by_role("alert")).to_contain_text("unreadable_image")
    expect(page.get_by_role("region", name="First photograph").get_by_role("alert")).to_have_count(0)
    require_no_barrier(page)
    second.get_by_role("button", name="Another photograph").click()
    choose(page, photographs / "obama/obama2.jpg")
    expect(page.locator(".verdict")).to_contain_text("The same person")


PASTE_OR_DROP = """([kind, selector, base64]) => {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], "photo.jpg", { type: "image/jpeg" }));
  const event = kind === "paste"
    ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true })
    : new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
  document.querySelector(selector).dispatchEvent(event);
}"""


def test_a_photograph_can_be_pasted_and_dropped(open_page: OpenPage, obama: bytes, obama2: bytes) -> None:
    page = open_page("compare")
    page.evaluate(PASTE_OR_DROP, ["paste", "main", base64.b64encode(obama).decode()])
    expect(page.locator(".face-photo")).to_have_count(1)
    page.evaluate(PASTE_OR_DROP, ["drop", ".drop", base64.b64encode(obama2).decode()])
    expect(page.locator(".verdict")).to_contain_text("The same person")


def test_a_photograph_can_be_taken_with_the_camera(open_page: OpenPage) -> None:
    """The browser shows a moving picture as its camera. It has no face."""
    page = open_page("compare")
    page.get_by_role("button", name="Use the camera").first.click()
    take = page.get_by_role("button", name="Take the photograph")
    expect(take).to_be_enabled()
    require_no_barrier(page)
    take.click()
    expect(page.locator(".face-photo")).to_have_count(1)
    expect(page.locator("video")).to_have_count(0)


def test_the_photographs_are_still_there_after_another_page(open_page: OpenPage) -> None:
    page = open_page("compare")
    page.get_by_role("button", name="Try it with two drawn faces").click()
    expect(page.locator(".verdict")).to_contain_text("The same person")
    choose_page(page, "service")
    choose_page(page, "compare")
    expect(page.locator(".verdict")).to_contain_text("The same person")
