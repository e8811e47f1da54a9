"""`facenet enrol` and `facenet demo`: clients of the running service."""

import json
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.pictures import meadow
from tests.served import Served, command


def run(*arguments: str, code: int = 0) -> str:
    done = subprocess.run(command(*arguments), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


@pytest.fixture
def folder(photographs: Path, tmp_path: Path) -> Path:
    """Two people, one of them with a name that is no id, a photograph without a face, and what is no photograph."""
    folder = tmp_path / "people"
    (folder / "Barack Obama").mkdir(parents=True)
    (folder / "biden").mkdir()
    (folder / "nobody").mkdir()
    shutil.copy(photographs / "obama" / "obama.jpg", folder / "Barack Obama")
    shutil.copy(photographs / "obama" / "obama2.jpg", folder / "Barack Obama")
    shutil.copy(photographs / "biden" / "biden.jpg", folder / "biden")
    (folder / "biden" / "meadow.png").write_bytes(meadow())
    (folder / "biden" / "broken.jpg").write_bytes(b"broken")
    (folder / "biden" / "notes.txt").write_text("not a photograph")
    return folder


def test_a_folder_of_identities_is_enrolled_and_goes_on_where_it_stopped(
    served: Served, folder: Path, tmp_path: Path
) -> None:
    report = tmp_path / "refused.jsonl"
    enrol = ("enrol", str(folder), "--collection", "people", "--url", served.url, "--report", str(report))
    first = run(*enrol)
    assert [line.split()[:2] for line in first.splitlines()[-3:]] == [
        ["enrolled", "3"],
        ["known", "0"],
        ["refused", "2"],
    ]
    refused = [json.loads(line) for line in report.read_text().splitlines()]
    assert {(Path(one["file"]).name, one["code"]) for one in refused} == {
        ("meadow.png", "no_face"),
        ("broken.jpg", "unreadable_image"),
    }
    again = run(*enrol)
    assert [line.split()[:2] for line in again.splitlines()[-3:]] == [
        ["enrolled", "0"],
        ["known", "3"],
        ["refused", "2"],
    ]
    subjects = httpx.get(f"{served.url}/collections/people/subjects").json()["items"]
    assert {one["name"]: one["faces"] for one in subjects} == {"Barack Obama": 2, "biden": 1}


def test_the_demo_shows_the_four_verbs(served: Served, photographs: Path) -> None:
    shown = run("demo", str(photographs), "--url", served.url)
    for words in ("Enrolled", "POST /verify", "POST /identify", "POST /cluster", "match"):
        assert words in shown


def test_a_service_that_is_not_there_is_told(folder: Path) -> None:
    told = run("enrol", str(folder), "--url", "http://127.0.0.1:9", code=1)
    assert told.count("\n") == 1 or "Traceback" not in told
    assert "make run" in told


def test_a_folder_without_photographs_is_told(served: Served, tmp_path: Path) -> None:
    assert "FOLDER/PERSON/PHOTOGRAPH" in run("enrol", str(tmp_path), "--url", served.url, code=1)


def test_the_settings_are_listed() -> None:
    assert "FACE_LIMITS__PIXELS" in run("settings")


def test_the_openapi_description_needs_no_models() -> None:
    assert "/verify" in json.loads(run("openapi"))["paths"]
