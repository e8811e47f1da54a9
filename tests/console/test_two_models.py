"""The page Clusters on a service with two models, which keeps crops: which faces of a group are enrolled, and how."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.console.conftest import NARROW, PHONE, OpenPage, double_the_text, keep_picture, require_no_barrier
from tests.support.enrolled_subjects import enrol, subjects_of
from tests.support.paired_photographs import put_side_by_side
from tests.support.running_service import RunningService, run_service

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def service(models_dir: Path, photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Yield a service whose collection `second` has another model than its collection `first`."""
    settings = {"FACE_MODELS__NEXT_EMBEDDER": "compact", "FACE_GALLERY__KEEP_CROPS": "yes"}
    with run_service(tmp_path_factory.mktemp("home") / "data", models_dir, **settings) as service:
        with httpx.Client(base_url=service.url, timeout=60) as api:
            for collection in ("first", "second"):
                enrol(api, collection, "eileen", photographs / "eileen_collins" / "astronaut.png")
            change_model(service, api, "second")
        yield service


def change_model(service: RunningService, api: httpx.Client, collection: str) -> None:
    other = api.post(f"/collections/{collection}/reembedding").raise_for_status().json()["model"]
    service.wait_until(lambda: bool(api.get(f"/collections/{collection}/reembedding").json()["complete"]))
    api.put(f"/collections/{collection}/model", params={"model": other}).raise_for_status()


@pytest.fixture
def shared_photographs(photographs: Path, tmp_path: Path) -> Path:
    """Return a folder with two photographs, each of the same two people."""
    folder = tmp_path / "album"
    folder.mkdir()
    for number, obama in enumerate(("obama.jpg", "obama2.jpg")):
        put_side_by_side(photographs / "obama" / obama, photographs / "biden" / "biden.jpg", folder / f"{number}.jpg")
    return folder


@pytest.fixture
def album(shared_photographs: Path, photographs: Path) -> Path:
    """Return a folder in which one more photograph shows one of the two people alone."""
    (shared_photographs / "alone.jpg").write_bytes((photographs / "obama" / "obama3.jpg").read_bytes())
    return shared_photographs


def group(page: Page, folder: Path) -> None:
    page.get_by_label("A folder of photographs: choose").set_input_files(folder)
    expect(page.locator(".group-face").first).to_be_visible(timeout=120_000)


def open_name_dialog(page: Page, heading: str, collection: str) -> None:
    title = page.locator(".group-heading").filter(has_text=heading)
    title.get_by_role("button", name="Name").click()
    page.get_by_label("Name of the person").fill("Ada")
    page.get_by_label("Collection").select_option(collection)


def test_faces_that_share_a_photograph_are_not_sent_to_a_collection_of_another_model(
    open_page: OpenPage, api: httpx.Client, album: Path
) -> None:
    page = open_page("clusters")
    sent: list[str | None] = []
    page.on("request", lambda one: sent.append(one.headers.get("content-type")) if one.url.endswith("/faces") else None)
    group(page, album)
    open_name_dialog(page, "3 faces", "second")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("So only 1 face is enrolled, from the photograph: 2 faces share their photograph")
    expect(dialog).to_contain_text("Choose a collection of the same model or an empty one")
    require_no_barrier(page)
    keep_picture(page, "clusters-other-model")
    dialog.get_by_role("button", name="Enrol").click()
    expect(page.get_by_text("1 enrolled, 2 refused")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("table", name="Not enrolled: 2")).to_contain_text("model_mismatch")
    assert subjects_of(api, "second")["Ada"] == 1
    assert [kind for kind in sent if "json" in (kind or "")] == []


@pytest.mark.parametrize("viewport", [PHONE, NARROW], ids=["375", "320"])
def test_a_group_of_which_no_face_can_be_enrolled_is_not_sent(
    open_page: OpenPage, api: httpx.Client, shared_photographs: Path, viewport: dict[str, int]
) -> None:
    page = open_page("clusters", viewport=viewport)
    group(page, shared_photographs)
    open_name_dialog(page, "Group 1", "second")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("the faces of this group cannot be enrolled")
    expect(dialog.get_by_role("button", name="Enrol")).to_be_disabled()
    keep_picture(page, f"clusters-other-model-{viewport['width']}")
    require_no_barrier(page)
    double_the_text(page)
    require_no_barrier(page)
    page.get_by_label("Collection").select_option("first")
    expect(dialog.get_by_role("button", name="Enrol")).to_be_enabled()
    assert "Ada" not in subjects_of(api, "first")


def test_it_is_said_that_no_picture_is_kept_of_a_face_that_shares_a_photograph(
    open_page: OpenPage, api: httpx.Client, album: Path
) -> None:
    page = open_page("clusters")
    group(page, album)
    open_name_dialog(page, "3 faces", "first")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("2 faces share their photographs with other faces")
    expect(dialog).to_contain_text("no picture is kept, even if this service keeps pictures")
    require_no_barrier(page)
    keep_picture(page, "clusters-without-picture")
    dialog.get_by_role("button", name="Enrol").click()
    expect(page.get_by_text("3 enrolled")).to_be_visible(timeout=60_000)
    faces = api.get("/collections/first/subjects/Ada/faces").json()["items"]
    assert sorted(face["has_crop"] for face in faces) == [False, False, True]
