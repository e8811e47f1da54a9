"""The page People: deletions that wait, that can be undone, and that end after the user has gone on."""

import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.console.conftest import (
    OpenPage,
    answer_deletion,
    choose_page,
    hold_deletions,
    keep_picture,
    require_no_barrier,
)
from tests.support.enrolled_subjects import enrol, subjects_of
from tests.support.running_service import RunningService

pytestmark = pytest.mark.slow


def test_a_deletion_can_be_undone_with_the_keyboard(open_page: OpenPage, api: httpx.Client, photographs: Path) -> None:
    enrol(api, "undone", "obama", photographs / "obama" / "obama.jpg")
    page = open_page("people/undone/obama")
    page.get_by_role("button", name="Delete", exact=True).press("Enter")
    expect(page.get_by_role("status").filter(has_text="will be deleted in 8 seconds")).to_be_attached()
    expect(page.get_by_role("link", name="Obama")).to_have_count(0)
    keep_picture(page, "people-undo")
    require_no_barrier(page)
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Undo")).to_be_focused()
    expect(page.get_by_text("waits to be deleted")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Obama")).to_be_visible()
    assert subjects_of(api, "undone") == {"obama": 1}


def test_a_deletion_is_sent_after_its_time(open_page: OpenPage, api: httpx.Client, photographs: Path) -> None:
    enrol(api, "timed", "obama", photographs / "obama" / "obama.jpg", photographs / "obama" / "obama2.jpg")
    page = open_page("people/timed/obama")
    page.get_by_role("button", name="Delete Face 1").click()
    expect(page.get_by_role("img", name="Face 2")).to_have_count(0)
    page.mouse.move(0, 0)
    with page.expect_response(lambda answer: answer.request.method == "DELETE") as sent:
        assert subjects_of(api, "timed") == {"obama": 2}
    assert sent.value.status == 204
    assert subjects_of(api, "timed") == {"obama": 1}


@pytest.mark.parametrize("leave", ["page", "tab"])
def test_a_deletion_is_sent_when_the_user_leaves(
    open_page: OpenPage, api: httpx.Client, service: RunningService, photographs: Path, leave: str
) -> None:
    enrol(api, f"left-{leave}", "obama", photographs / "obama" / "obama.jpg")
    page = open_page(f"people/left-{leave}/obama")
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("or when you leave this page")).to_be_visible()
    if leave == "page":
        choose_page(page, "service")
    else:
        page.goto("about:blank")
    service.wait_until(lambda: subjects_of(api, f"left-{leave}") == {})


def test_a_face_whose_deletion_ends_after_the_user_has_come_back_is_not_shown(
    open_page: OpenPage, api: httpx.Client, photographs: Path
) -> None:
    enrol(api, "back", "obama", photographs / "obama" / "obama.jpg", photographs / "obama" / "obama2.jpg")
    page = open_page("people/back/obama")
    deletions = hold_deletions(page, "**/faces/*")
    page.get_by_role("button", name="Delete Face 2").click()
    with page.expect_request(lambda one: one.method == "DELETE"):
        choose_page(page, "identify")
    page.go_back()
    expect(page.get_by_role("button", name="Delete Face 1")).to_be_visible()
    answer_deletion(page, deletions[0])
    expect(page.get_by_text("1 face · since")).to_be_visible()
    expect(page.get_by_role("button", name="Delete Face 2")).to_have_count(0)


def delete_and_leave(page: Page, leave: Callable[[], object]) -> Route:
    """Delete Obama, whose page is shown, call `leave`, and return the deletion, which the service has not got yet."""
    deletions = hold_deletions(page, "**/subjects/obama")
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("or when you leave this page")).to_be_visible()
    page.mouse.move(0, 0)  # the clock stands still while the pointer is at the notice
    with page.expect_request(lambda one: one.method == "DELETE"):
        leave()
    while not deletions:  # the request is told before its route
        page.wait_for_timeout(10)
    return deletions[0]


def answer_no_list(page: Page) -> None:
    """From now on, no list of subjects is answered: only what is kept is shown."""
    page.route("**/subjects?*", lambda _route: None)


@pytest.mark.parametrize("place", ["people", "compare"])
def test_a_subject_whose_deletion_ends_after_the_user_has_left_is_not_in_the_kept_list(
    open_page: OpenPage, api: httpx.Client, photographs: Path, place: str
) -> None:
    enrol(api, f"away-{place}", "obama", photographs / "obama" / "obama.jpg")
    enrol(api, f"away-{place}", "biden", photographs / "biden" / "biden.jpg")
    page = open_page(f"people/away-{place}")
    page.get_by_role("link", name="Obama").click()
    answer_deletion(page, delete_and_leave(page, lambda: page.evaluate(f"location.hash = '#/{place}'")))
    answer_no_list(page)
    page.evaluate(f"location.hash = '#/people/away-{place}'")
    expect(page.get_by_role("link", name="Biden")).to_be_visible()
    expect(page.get_by_role("link", name="Obama")).to_have_count(0)


def test_a_subject_that_is_made_after_the_user_has_left_does_not_bring_back_a_deleted_one(
    open_page: OpenPage, api: httpx.Client, photographs: Path
) -> None:
    enrol(api, "made-late", "obama", photographs / "obama" / "obama.jpg")
    enrol(api, "made-late", "biden", photographs / "biden" / "biden.jpg")
    page = open_page("people/made-late/obama")
    made: list[Route] = []
    page.route("**/made-late/subjects", lambda route: made.append(route))  # noqa: PLW0108  # Playwright takes no built-in method

    def make_and_leave() -> None:
        page.get_by_label("Name of the person").fill("Ada")
        page.get_by_role("button", name="Make the subject").click()
        choose_page(page, "compare")

    answer_deletion(page, delete_and_leave(page, make_and_leave))
    answer_no_list(page)
    made[0].continue_()
    expect(page.get_by_role("link", name="Ada")).to_be_visible()
    expect(page.get_by_role("link", name="Obama")).to_have_count(0)


def test_the_page_of_a_subject_is_left_when_it_has_been_deleted(
    open_page: OpenPage, api: httpx.Client, photographs: Path
) -> None:
    enrol(api, "gone", "obama", photographs / "obama" / "obama.jpg")
    page = open_page("people/gone/obama")
    deletion = delete_and_leave(page, page.go_back)
    expect(page.get_by_role("button", name="Rename")).to_be_visible()
    answer_deletion(page, deletion)
    expect(page).to_have_url(re.compile("#/people/gone$"))
    expect(page.get_by_text("No subject yet.")).to_be_visible()
    expect(page.get_by_role("button", name="Rename")).to_have_count(0)


def test_a_subject_that_was_read_before_its_deletion_is_not_listed_after_it(
    open_page: OpenPage, api: httpx.Client, photographs: Path
) -> None:
    enrol(api, "read-late", "obama", photographs / "obama" / "obama.jpg")
    subject = api.get("/collections/read-late/subjects/obama").json()
    page = open_page("people/read-late/obama")
    readings: list[Route] = []

    def go_back() -> None:
        page.route(
            "**/subjects/obama", lambda one: readings.append(one) if one.request.method == "GET" else one.fallback()
        )
        page.go_back()

    answer_deletion(page, delete_and_leave(page, go_back))
    readings[0].fulfill(json=subject)
    page.wait_for_timeout(500)  # to show it, if it does
    expect(page.get_by_text("No subject yet.")).to_be_visible()
    expect(page.get_by_role("link", name="Obama")).to_have_count(0)


def test_the_page_of_another_subject_stays_when_one_has_been_deleted(
    open_page: OpenPage, api: httpx.Client, photographs: Path
) -> None:
    enrol(api, "other", "obama", photographs / "obama" / "obama.jpg")
    enrol(api, "other", "biden", photographs / "biden" / "biden.jpg")
    page = open_page("people/other/obama")
    answer_deletion(page, delete_and_leave(page, page.get_by_role("link", name="Biden").click))
    expect(page).to_have_url(re.compile("#/people/other/biden$"))
    expect(page.get_by_role("heading", name="Biden")).to_be_visible()


def test_a_refused_deletion_shows_the_subject_again(open_page: OpenPage, api: httpx.Client, photographs: Path) -> None:
    enrol(api, "kept", "obama", photographs / "obama" / "obama.jpg")
    page = open_page("people/kept/obama")
    problem = {"code": "storage_unavailable", "detail": "The gallery cannot be written."}
    page.route("**/subjects/obama", lambda route: route.fulfill(status=503, json=problem))
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("link", name="Collections").click()  # does not leave the page
    page.get_by_role("link", name="kept").click()
    expect(page.get_by_text("Obama with 1 face was not deleted.")).to_be_visible(timeout=15_000)
    expect(page.get_by_role("link", name="Obama")).to_be_visible()
