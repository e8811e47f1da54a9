"""The commands of `facenet`, against a running service."""

import json
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.support.running_service import RunningService, facenet_command
from tests.support.sample_images import png_without_face

pytestmark = pytest.mark.slow


def run_facenet(*arguments: str, code: int = 0) -> str:
    result = subprocess.run(facenet_command(*arguments), capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == code, result.stderr
    return result.stdout if code == 0 else result.stderr


@pytest.fixture
def people_folder(photographs: Path, tmp_path: Path) -> Path:
    """Return a folder of two people. One name is not a valid id. One image has no face. Two files are not images."""
    folder = tmp_path / "people"
    (folder / "Barack Obama").mkdir(parents=True)
    (folder / "biden").mkdir()
    (folder / "nobody").mkdir()
    shutil.copy(photographs / "obama" / "obama.jpg", folder / "Barack Obama")
    shutil.copy(photographs / "obama" / "obama2.jpg", folder / "Barack Obama")
    shutil.copy(photographs / "biden" / "biden.jpg", folder / "biden")
    (folder / "biden" / "meadow.png").write_bytes(png_without_face())
    (folder / "biden" / "broken.jpg").write_bytes(b"broken")
    (folder / "biden" / "notes.txt").write_text("not a photograph")
    return folder


def test_a_folder_of_people_is_enrolled_and_a_second_run_enrols_only_what_is_missing(
    service: RunningService, people_folder: Path, tmp_path: Path
) -> None:
    report = tmp_path / "refused.jsonl"
    enrol = ("enrol", str(people_folder), "--collection", "people", "--url", service.url, "--report", str(report))
    first_output = run_facenet(*enrol)
    assert [line.split()[:2] for line in first_output.splitlines()[-3:]] == [
        ["enrolled", "3"],
        ["known", "0"],
        ["refused", "2"],
    ]
    refused = [json.loads(line) for line in report.read_text().splitlines()]
    assert {(Path(photograph["file"]).name, photograph["code"]) for photograph in refused} == {
        ("meadow.png", "no_face"),
        ("broken.jpg", "unreadable_image"),
    }
    second_output = run_facenet(*enrol)
    assert [line.split()[:2] for line in second_output.splitlines()[-3:]] == [
        ["enrolled", "0"],
        ["known", "3"],
        ["refused", "2"],
    ]
    subjects = httpx.get(f"{service.url}/collections/people/subjects").json()["items"]
    assert {subject["name"]: subject["faces"] for subject in subjects} == {"Barack Obama": 2, "biden": 1}


def test_the_demo_shows_the_four_operations(service: RunningService, photographs: Path) -> None:
    output = run_facenet("demo", str(photographs), "--url", service.url)
    for text in (
        "3 people are enrolled in the collection demo",
        "POST /verify",
        "POST /identify",
        "POST /cluster",
        "match",
    ):
        assert text in output


def test_an_unreachable_service_is_reported_in_one_line(people_folder: Path) -> None:
    error_output = run_facenet("enrol", str(people_folder), "--url", "http://127.0.0.1:9", code=1)
    (line,) = error_output.splitlines()
    assert line == (
        "facenet: No service answers at http://127.0.0.1:9. Start it with make run, or pass its address with --url."
    )


def test_a_folder_without_photographs_is_reported(service: RunningService, tmp_path: Path) -> None:
    assert "FOLDER/PERSON/PHOTOGRAPH" in run_facenet("enrol", str(tmp_path), "--url", service.url, code=1)


def test_the_settings_are_listed() -> None:
    assert "FACE_LIMITS__PIXELS" in run_facenet("settings")


def test_the_openapi_description_needs_no_models() -> None:
    assert "/verify" in json.loads(run_facenet("openapi"))["paths"]
