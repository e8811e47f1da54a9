"""Another access key: the page forgets what it has read with the key before, and keeps what the user has given."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.console.conftest import OpenPage, answer_deletion, choose_page, hold_deletions, require_no_barrier
from tests.support.enrolled_subjects import enrol, subjects_of
from tests.support.running_service import RunningService

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def admin(service: RunningService, photographs: Path) -> Iterator[httpx.Client]:
    """Yield a client with a key for everything, of a service with the collections `staff` and `visitors`."""
    first = httpx.post(f"{service.url}/keys", json={"scopes": ["admin", "read", "enrol", "verify"]})
    headers = {"Authorization": f"Bearer {first.raise_for_status().json()['key']}"}
    with httpx.Client(base_url=service.url, timeout=60, headers=headers) as api:
        enrol(api, "staff", "obama", photographs / "obama" / "obama.jpg")
        enrol(api, "visitors", "biden", photographs / "biden" / "biden.jpg")
        yield api


def make_key(admin: httpx.Client, *scopes: str, collections: list[str] | None = None) -> str:
    body = {"scopes": list(scopes)} | ({"collections": collections} if collections else {})
    return str(admin.post("/keys", json=body).raise_for_status().json()["key"])


def enter_key(page: Page, key: str) -> None:
    page.get_by_label("Key", exact=True).fill(key)
    page.get_by_role("button", name="Use this key").click()
    expect(page.get_by_role("dialog", name="Access key")).to_be_hidden()


def enter_another_key(page: Page, key: str) -> None:
    page.get_by_role("button", name="Key in use").click()
    enter_key(page, key)


def folder_of(photographs: Path, tmp_path: Path) -> Path:
    """Return a folder with one person and one photograph."""
    folder = tmp_path / "folder"
    (folder / "eileen").mkdir(parents=True)
    photograph = photographs / "eileen_collins" / "astronaut.png"
    (folder / "eileen" / photograph.name).write_bytes(photograph.read_bytes())
    return folder


def test_another_key_does_not_see_what_the_key_before_has_read(open_page: OpenPage, admin: httpx.Client) -> None:
    page = open_page("people")
    enter_key(page, make_key(admin, "read", "verify"))
    page.get_by_role("link", name="staff").click()
    expect(page.get_by_role("link", name="Obama")).to_be_visible()
    choose_page(page, "identify")
    page.get_by_label("Collection").select_option("staff")
    enter_another_key(page, make_key(admin, "read", "verify", collections=["visitors"]))
    expect(page.get_by_label("Collection").locator("option")).to_have_text(["default", "visitors"])
    page.route("**/collections**", lambda _route: None)  # the service does not answer, so only what is kept is shown
    choose_page(page, "people")
    expect(page.get_by_role("row").filter(has_text="visitors")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="staff")).to_have_count(0)
    page.evaluate("location.hash = '#/people/staff'")
    expect(page.get_by_text("Loading …")).to_be_visible()
    expect(page.get_by_text("Obama")).to_have_count(0)


def test_the_open_page_is_read_again_with_another_key(open_page: OpenPage, admin: httpx.Client) -> None:
    page = open_page("people")
    enter_key(page, make_key(admin, "read"))
    expect(page.get_by_role("row").filter(has_text="staff")).to_be_visible()
    enter_another_key(page, make_key(admin, "read", collections=["visitors"]))
    expect(page.get_by_role("row").filter(has_text="visitors")).to_be_visible()
    expect(page.get_by_text("staff")).to_have_count(0)
    require_no_barrier(page)


def test_a_photograph_that_the_user_has_chosen_stays(
    open_page: OpenPage, admin: httpx.Client, photographs: Path
) -> None:
    page = open_page("identify")
    enter_key(page, make_key(admin, "verify", "read", collections=["visitors"]))
    page.get_by_label("Collection").select_option("visitors")
    page.get_by_label("A photograph of one person").set_input_files(photographs / "biden" / "biden.jpg")
    expect(page.get_by_text("Compared with 1 enrolled faces")).to_be_visible()
    enter_another_key(page, make_key(admin, "verify", "read"))
    expect(page.get_by_role("img", name="The photograph")).to_be_visible()
    expect(
        page.get_by_text("The collection has no faces yet")
    ).to_be_visible()  # `default`: no answer of the key before


def test_a_deletion_that_waits_is_sent_with_the_key_before(open_page: OpenPage, admin: httpx.Client) -> None:
    admin.put("/collections/staff/subjects/leaver", json={"name": "Leaver"}).raise_for_status()
    page = open_page("people/staff/leaver")
    first = make_key(admin, "read", "enrol")
    enter_key(page, first)
    page.get_by_role("button", name="Delete", exact=True).click()
    with page.expect_response(lambda one: one.request.method == "DELETE") as answered:
        enter_another_key(page, make_key(admin, "read"))
    assert answered.value.request.headers["authorization"] == f"Bearer {first}"
    expect(page.get_by_role("link", name="Leaver")).to_have_count(0)
    expect(page.get_by_role("link", name="Obama")).to_be_visible()
    assert subjects_of(admin, "staff") == {"obama": 1}


def test_a_deletion_that_ends_after_the_list_was_read_with_another_key_is_not_shown(
    open_page: OpenPage, admin: httpx.Client
) -> None:
    admin.put("/collections/staff/subjects/late", json={"name": "Late"}).raise_for_status()
    page = open_page("people/staff/late")
    enter_key(page, make_key(admin, "read", "enrol"))
    deletions = hold_deletions(page, "**/subjects/late")
    page.get_by_role("button", name="Delete", exact=True).click()
    with page.expect_request(lambda one: one.method == "DELETE"):
        enter_another_key(page, make_key(admin, "read"))
    expect(page.get_by_role("link", name="Obama")).to_be_visible()
    answer_deletion(page, deletions[0])
    expect(page.get_by_role("link", name="Late")).to_have_count(0)


@pytest.mark.parametrize(("status", "code"), [(401, "key_invalid"), (503, "storage_unavailable")])
def test_a_deletion_that_fails_is_not_shown_to_another_key_or_sent_with_it(
    open_page: OpenPage, admin: httpx.Client, status: int, code: str
) -> None:
    admin.put("/collections/staff/subjects/stayer", json={"name": "Stayer"}).raise_for_status()
    page = open_page("people/staff/stayer")
    enter_key(page, make_key(admin, "read", "enrol"))
    deletions = hold_deletions(page, "**/subjects/stayer")
    page.get_by_role("button", name="Delete", exact=True).click()
    with page.expect_request(lambda one: one.method == "DELETE"):
        enter_another_key(page, make_key(admin, "read", "enrol"))
    expect(page.get_by_role("link", name="Obama")).to_be_visible()
    deletions[0].fulfill(status=status, json={"code": code, "detail": "It was not deleted."})
    expect(page.get_by_role("link", name="Stayer")).to_be_visible()
    expect(page.get_by_text("was not deleted")).to_have_count(0)
    assert len(deletions) == 1


def test_an_enrolment_of_a_folder_goes_on_with_another_key(
    open_page: OpenPage, admin: httpx.Client, photographs: Path, tmp_path: Path
) -> None:
    page = open_page("people/visitors")
    enter_key(page, make_key(admin, "read", "enrol"))
    waiting: list[Route] = []
    page.route("**/faces?*", lambda route: waiting.append(route))  # noqa: PLW0108  # Playwright takes no built-in method
    page.get_by_label("A folder of people: choose").set_input_files(folder_of(photographs, tmp_path))
    page.get_by_role("button", name="Enrol in visitors").click()
    expect(page.get_by_text("0 of 1 photographs")).to_be_visible()
    enter_another_key(page, make_key(admin, "read", "enrol"))
    expect(page.get_by_text("0 of 1 photographs")).to_be_visible()
    for route in waiting:
        route.continue_()
    expect(page.get_by_text("1 enrolled in visitors")).to_be_visible(timeout=60_000)
    enter_another_key(page, make_key(admin, "read"))
    expect(page.get_by_text("1 enrolled in visitors")).to_have_count(0)


def test_a_dropped_folder_that_is_not_yet_enrolled_stays_with_its_collection(
    open_page: OpenPage, admin: httpx.Client, photographs: Path, tmp_path: Path
) -> None:
    page = open_page("people/visitors")
    enter_key(page, make_key(admin, "read", "enrol"))
    page.get_by_label("A folder of people: choose").set_input_files(folder_of(photographs, tmp_path))
    expect(page.get_by_text("1 person, 1 photograph")).to_be_visible()
    enter_another_key(page, make_key(admin, "read", "enrol"))
    expect(page.get_by_text("1 person, 1 photograph")).to_be_visible()
    page.evaluate("location.hash = '#/people/staff'")
    expect(page.get_by_label("A folder of people: choose")).to_be_attached()
    expect(page.get_by_text("1 person, 1 photograph")).to_have_count(0)


def test_more_photographs_of_a_subject_are_enrolled_also_with_another_key(
    open_page: OpenPage, admin: httpx.Client, photographs: Path
) -> None:
    enrol(admin, "guests", "obama", photographs / "obama" / "obama.jpg")
    page = open_page("people/guests/obama")
    enter_key(page, make_key(admin, "read", "enrol"))
    waiting: list[Route] = []
    page.route("**/subjects/obama/faces", lambda route: waiting.append(route))  # noqa: PLW0108  # Playwright takes no built-in method
    photograph = photographs / "obama" / "obama2.jpg"
    page.get_by_label("More photographs of this person: choose").set_input_files(photograph)
    expect(page.get_by_text("0 of 1 photographs")).to_be_visible()
    enter_another_key(page, make_key(admin, "read", "enrol"))
    expect(page.get_by_text("0 of 1 photographs")).to_be_visible()
    waiting[0].continue_()
    expect(page.get_by_text("1 enrolled.")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("2 faces · since")).to_be_visible()
    assert subjects_of(admin, "guests") == {"obama": 2}
    enter_another_key(page, make_key(admin, "read"))
    expect(page.get_by_text("2 faces · since")).to_be_visible()
    expect(page.get_by_text("1 enrolled.")).to_have_count(0)


def test_a_group_whose_key_is_refused_meanwhile_is_enrolled_with_another_key(
    open_page: OpenPage, admin: httpx.Client, photographs: Path, tmp_path: Path
) -> None:
    admin.put("/collections/album").raise_for_status()
    page = open_page("clusters")
    (tmp_path / "album").mkdir()
    for name in ("obama.jpg", "obama2.jpg"):
        (tmp_path / "album" / name).write_bytes((photographs / "obama" / name).read_bytes())
    page.get_by_label("A folder of photographs: choose").set_input_files(tmp_path / "album")
    enter_key(page, make_key(admin, "read", "enrol", "verify"))
    page.get_by_role("button", name="Name Group 1").click(timeout=120_000)
    page.get_by_label("Name of the person").fill("Ada")
    page.get_by_label("Collection").select_option("album")
    waiting: list[Route] = []
    page.route("**/subjects/Ada/faces", lambda route: waiting.append(route))  # noqa: PLW0108  # Playwright takes no built-in method
    page.get_by_role("button", name="Enrol", exact=True).click()
    expect(page.get_by_text("0 of 2 faces")).to_be_visible()
    require_no_barrier(page)
    waiting[0].fulfill(status=401, json={"code": "key_invalid", "detail": "The access key is not known."})
    with page.expect_request("**/subjects/Ada/faces"):
        enter_key(page, make_key(admin, "read", "enrol"))
    dialog = page.get_by_role("dialog", name="Name Group 1")
    expect(dialog).to_contain_text("The faces are enrolled for Ada in album.")
    waiting[1].continue_()
    expect(page.get_by_text("2 enrolled")).to_be_visible(timeout=60_000)
    expect(dialog).to_have_count(0)
    assert subjects_of(admin, "album") == {"Ada": 2}
