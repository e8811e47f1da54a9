"""The page People: collections, and the enrolment of a folder. With real photographs."""

import csv
import shutil
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Route, expect

from service.commands.enrolment.people_folder import Person
from tests.console.conftest import OpenPage, choose_page, keep_picture, require_no_barrier
from tests.support.enrolled_subjects import subjects_of

pytestmark = pytest.mark.slow


@pytest.fixture
def people_folder(photographs: Path, tmp_path: Path) -> Path:
    """Return FOLDER/PERSON/PHOTOGRAPH with three people, a file that cannot be read, and one beside the folders."""
    folder = tmp_path / "people"
    shutil.copytree(photographs / "obama", folder / "obama", ignore=shutil.ignore_patterns("*partial*"))
    shutil.copytree(photographs / "biden", folder / "biden")
    shutil.copytree(photographs / "eileen_collins", folder / "Eileen Collins")
    (folder / "biden" / "broken.jpg").write_bytes(b"this is not a JPEG")
    shutil.copy(folder / "obama" / "obama.jpg", folder / "beside.jpg")
    return folder


def test_a_collection_is_made_and_deleted(open_page: OpenPage, api: httpx.Client) -> None:
    page = open_page("people")
    page.get_by_label("Name").fill("visitors")
    page.get_by_label("Delete faces after (days)").fill("30")
    page.get_by_role("button", name="Make the collection").click()
    row = page.get_by_role("row").filter(has_text="visitors")
    expect(row).to_contain_text("30 days")
    require_no_barrier(page)
    page.get_by_role("button", name="Delete visitors").click()
    delete = page.get_by_role("button", name="Delete the collection")
    expect(delete).to_be_disabled()
    require_no_barrier(page)
    page.get_by_label("to confirm").fill("visitors")
    delete.click()
    expect(row).to_have_count(0)
    assert api.get("/collections/visitors").status_code == 404


def test_a_folder_is_enrolled_and_what_is_refused_is_listed(
    open_page: OpenPage, api: httpx.Client, people_folder: Path, tmp_path: Path
) -> None:
    api.put("/collections/friends").raise_for_status()
    page = open_page("people/friends")
    page.get_by_label("A folder of people: choose").set_input_files(people_folder)
    expect(page.get_by_text("3 people, 6 photographs")).to_be_visible()
    keep_picture(page, "people-folder")
    require_no_barrier(page)
    page.get_by_role("button", name="Enrol in friends").click()
    expect(page.get_by_text("5 enrolled, 1 refused in friends")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("table", name="Not enrolled: 2")).to_contain_text("people/biden/broken.jpg")
    expect(page.get_by_role("link", name="Eileen Collins")).to_be_visible()
    keep_picture(page, "people-refused")
    require_no_barrier(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as CSV").click()
    download.value.save_as(tmp_path / "refused.csv")
    with (tmp_path / "refused.csv").open(newline="") as file:
        rows = {row["file"]: row["code"] for row in csv.DictReader(file)}
    assert rows == {"people/beside.jpg": "no_person", "people/biden/broken.jpg": "unreadable_image"}
    assert sum(subjects_of(api, "friends").values()) == 5


def test_an_enrolment_waits_while_the_service_is_busy(
    open_page: OpenPage, api: httpx.Client, people_folder: Path
) -> None:
    api.put("/collections/busy").raise_for_status()
    page = open_page("people/busy")
    refusals: list[str] = []

    def refuse_once(route: Route) -> None:
        if refusals:
            route.continue_()
        else:
            refusals.append(route.request.url)
            problem = {"code": "overloaded", "detail": "Too many images are in flight."}
            route.fulfill(status=503, headers={"Retry-After": "1"}, json=problem)

    page.route("**/faces?on_several=main", refuse_once)
    page.get_by_label("A folder of people: choose").set_input_files(people_folder)
    page.get_by_label("enrol its main face").check()
    page.get_by_role("button", name="Enrol in busy").click()
    expect(page.get_by_text("The service is busy. Going on in 1 s.")).to_be_visible()
    expect(page.get_by_text("5 enrolled, 1 refused in busy")).to_be_visible(timeout=60_000)


def test_an_enrolment_goes_on_on_another_page_and_can_be_stopped(
    open_page: OpenPage, api: httpx.Client, people_folder: Path
) -> None:
    api.put("/collections/stopped").raise_for_status()
    page = open_page("people/stopped")
    page.route("**/faces?*", lambda _route: None)  # the service does not answer
    page.get_by_label("A folder of people: choose").set_input_files(people_folder)
    page.get_by_role("button", name="Enrol in stopped").click()
    choose_page(page, "service")
    choose_page(page, "people")
    page.get_by_role("link", name="stopped").click()
    expect(page.get_by_text("0 of 6 photographs")).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped. 0 enrolled in stopped.")).to_be_visible()


def test_a_name_gets_the_same_id_as_in_the_command(open_page: OpenPage) -> None:
    page = open_page("people")
    script = "(name) => import('/console/calculations/subject_id.js').then((module) => module.subjectIdOf(name))"
    for name in ("obama", "Zoë Müller", "a.b_c-", " x ", "李明", "-", "x" * 130, "é" * 120, "Ada Lovelace"):
        assert page.evaluate(script, name) == Person(Path(name), ()).id
