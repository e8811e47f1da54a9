"""The commands of `facenet`, against a running service."""

import json
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import httpx
import pytest

from tests.support.commands import run_facenet, run_for_nobody
from tests.support.running_service import RunningService, run_service
from tests.support.sample_images import place_side_by_side, png_without_face

pytestmark = pytest.mark.slow


@pytest.fixture
def people_folder(photographs: Path, tmp_path: Path) -> Path:
    """Return a folder of three people. One name is not a valid id, and one person has no photograph.

    One image has no face. Two files are not images. One photograph is in a nested folder.
    """
    folder = tmp_path / "people"
    (folder / "Barack Obama").mkdir(parents=True)
    (folder / "biden").mkdir()
    (folder / "nobody").mkdir()
    shutil.copy(photographs / "obama" / "obama.jpg", folder / "Barack Obama")
    (folder / "Barack Obama" / "2024").mkdir()
    shutil.copy(photographs / "obama" / "obama2.jpg", folder / "Barack Obama" / "2024" / "caf\udce9.JFIF")
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
    first_output = run_facenet(*enrol, code=1)
    assert first_output.splitlines()[-5:] == [
        "enrolled           3",
        "known              0",
        "refused            2  1 unreadable_image, 1 no_face",
        "not sent           2  1 unknown_suffix, 1 empty_folder",
        "without face       1  1 person_without_face",
    ]
    for path in ("biden/meadow.png", "biden/broken.jpg", "biden/notes.txt", "nobody"):
        assert f": {people_folder / path}: " in first_output
    assert report.stat().st_mode & 0o777 == 0o600
    items = [json.loads(line) for line in report.read_text().splitlines()]
    assert {(Path(item["file"]).name, item["status"], item["code"]) for item in items} == {
        ("meadow.png", "refused", "no_face"),
        ("broken.jpg", "refused", "unreadable_image"),
        ("notes.txt", "not_sent", "unknown_suffix"),
        ("nobody", "not_sent", "empty_folder"),
        ("nobody", "without_face", "person_without_face"),
    }
    second_output = run_facenet(*enrol, code=1)
    assert [line.split()[-1] for line in second_output.splitlines()[-5:-3]] == ["0", "3"]
    subjects = httpx.get(f"{service.url}/collections/people/subjects").json()["items"]
    assert {subject["name"]: subject["faces"] for subject in subjects} == {"Barack Obama": 2, "biden": 1}


def test_another_enrolment_of_all_photographs_stores_the_crops_that_were_not_kept(
    photographs: Path, models_dir: Path, tmp_path: Path
) -> None:
    enrol = ("enrol", str(photographs), "--on-several", "main", "--url")
    with run_service(tmp_path / "data", models_dir) as service:
        run_facenet(*enrol, service.url)
    with run_service(tmp_path / "data", models_dir, FACE_GALLERY__KEEP_CROPS="yes") as service:
        faces = f"{service.url}/collections/default/subjects/obama/faces"
        run_facenet(*enrol, service.url)
        before = httpx.get(faces).json()["items"]
        assert not any(face["has_crop"] for face in before)
        run_facenet(*enrol, service.url, "--again")
        assert httpx.get(faces).json()["items"] == [{**face, "has_crop": True} for face in before]


def test_the_exit_code_is_0_if_everybody_has_a_face_and_no_photograph_was_refused(
    service: RunningService, people_folder: Path
) -> None:
    for name in ("meadow.png", "broken.jpg"):
        (people_folder / "biden" / name).unlink()
    (people_folder / "nobody").rmdir()
    output = run_facenet("enrol", str(people_folder), "--collection", "complete", "--url", service.url)
    assert output.splitlines()[-3:] == [
        "not sent           1  1 unknown_suffix",
        "without face       0",
        "--report FILE writes each of them to a file, with the reason.",
    ]


def test_a_person_without_an_enrolled_photograph_makes_the_exit_code_1(
    service: RunningService, people_folder: Path
) -> None:
    enrol = ("enrol", str(people_folder), "--collection", "faceless", "--url", service.url)
    (people_folder / "biden" / "biden.jpg").unlink()
    output = run_facenet(*enrol, code=1)
    assert f"without face: {people_folder / 'biden'}: No photograph of this person is enrolled." in output
    assert "without face       2  2 person_without_face" in output.splitlines()


def test_no_subject_is_left_of_a_person_whose_photographs_were_all_refused(
    service: RunningService, people_folder: Path
) -> None:
    (people_folder / "biden" / "biden.jpg").unlink()
    run_facenet("enrol", str(people_folder), "--collection", "none", "--url", service.url, code=1)
    subjects = httpx.get(f"{service.url}/collections/none/subjects").json()["items"]
    assert [subject["name"] for subject in subjects] == ["Barack Obama"]


def test_a_subject_that_was_there_before_stays_without_faces(service: RunningService, people_folder: Path) -> None:
    (people_folder / "biden" / "biden.jpg").unlink()
    httpx.put(f"{service.url}/collections/before").raise_for_status()
    with httpx.Client(base_url=f"{service.url}/collections/before") as client:
        client.post("/subjects", json={"id": "biden", "metadata": {"team": 1}}).raise_for_status()
        run_facenet("enrol", str(people_folder), "--collection", "before", "--url", service.url, code=1)
        assert client.get("/subjects/biden").json()["metadata"] == {"team": 1}


def test_a_subject_is_deleted_with_a_receipt(service: RunningService, people_folder: Path) -> None:
    run_facenet("enrol", str(people_folder), "--collection", "leaving", "--url", service.url, code=1)
    delete = ("delete-subject", "biden", "--collection", "leaving", "--url", service.url)
    said, receipt = run_facenet(*delete).splitlines()
    assert said == "biden is deleted from the collection leaving, with all faces."
    assert re.fullmatch(r"Receipt: \d+-[0-9a-f]{32}", receipt)
    subjects = httpx.get(f"{service.url}/collections/leaving/subjects").json()["items"]
    assert [subject["name"] for subject in subjects] == ["Barack Obama"]
    assert "The collection leaving has no subject biden: it was deleted already" in run_facenet(*delete, code=1)
    assert "The collection gone has no subject biden" in run_facenet(
        "delete-subject", "biden", "--collection", "gone", "--url", service.url, code=1
    )


def test_photographs_of_several_people_are_counted_and_the_option_for_them_is_named(
    service: RunningService, photographs: Path, tmp_path: Path
) -> None:
    both = place_side_by_side(*((photographs / name).read_bytes() for name in ("obama/obama.jpg", "biden/biden.jpg")))
    (tmp_path / "people" / "obama").mkdir(parents=True)
    (tmp_path / "people" / "obama" / "both.png").write_bytes(both)
    enrol = ("enrol", str(tmp_path / "people"), "--collection", "several", "--url", service.url)
    assert run_facenet(*enrol, code=1).splitlines()[-2:] == [
        "1 of them show several faces. --on-several main enrols the main face of each.",
        "--report FILE writes each of them to a file, with the reason.",
    ]
    assert run_facenet(*enrol, "--on-several", "main").splitlines()[-1] == "without face       0"


def test_names_of_people_and_files_are_not_in_the_log_of_the_service(
    service: RunningService, people_folder: Path
) -> None:
    run_facenet("enrol", str(people_folder), "--collection", "log", "--url", service.url, code=1)
    log = "".join(service.log_lines)
    for name in ("Obama", "meadow", "broken", "people/", "JFIF"):
        assert name not in log


def test_a_report_that_cannot_be_written_is_an_error_before_anything_is_sent(
    service: RunningService, people_folder: Path, tmp_path: Path
) -> None:
    report = str(tmp_path / "missing" / "report.jsonl")
    options = ("--collection", "unwritten", "--url", service.url, "--report", report)
    assert "cannot be written" in run_facenet("enrol", str(people_folder), *options, code=2)
    assert httpx.get(f"{service.url}/collections/unwritten").status_code == 404


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


def test_where_another_model_owns_the_collection_of_the_demo_another_collection_can_be_named(
    models_dir: Path, photographs: Path, tmp_path: Path
) -> None:
    data_dir = tmp_path / "home" / "data"
    data_dir.parent.mkdir()
    with run_service(data_dir, models_dir) as service:
        run_facenet("demo", str(photographs), "--url", service.url)
        service.stop()
    with run_service(data_dir, models_dir, FACE_MODELS__EMBEDDER="facenet") as service:
        output = run_facenet("demo", str(photographs), "--url", service.url, code=1)
        assert output.splitlines()[0] == (
            "facenet: Another model made the faces of the collection demo. Choose a collection that does not exist: "
            "make demo COLLECTION=demo2 (facenet demo --collection demo2). Or start the service with the other model."
        )
        output = run_facenet("demo", str(photographs), "--collection", "demo2", "--url", service.url)
        assert "3 people are enrolled in the collection demo2" in output


def test_an_unreachable_service_is_reported_in_one_line(people_folder: Path) -> None:
    error_output = run_facenet("enrol", str(people_folder), "--url", "http://127.0.0.1:9", code=1)
    line = error_output.splitlines()[-1]
    assert line == (
        "facenet: No service answers at http://127.0.0.1:9. Start it with make run, or pass its address with --url."
    )


def test_a_folder_without_photographs_is_reported(service: RunningService, tmp_path: Path) -> None:
    assert "FOLDER/PERSON/PHOTOGRAPH" in run_facenet("enrol", str(tmp_path), "--url", service.url, code=1)


def test_the_folder_of_one_person_is_told_from_a_folder_of_people(service: RunningService, photographs: Path) -> None:
    obama = photographs / "obama"
    output = run_facenet("enrol", str(obama), "--url", service.url, code=1)
    assert f"facenet: {obama} has photographs, but no folder of a person." in output
    assert f"Did you mean its parent, {photographs.resolve()}?" in output


def test_the_settings_are_listed() -> None:
    assert "FACE_LIMITS__PIXELS" in run_facenet("settings")


def test_the_openapi_description_needs_no_models() -> None:
    assert "/verify" in json.loads(run_facenet("openapi"))["paths"]


def test_the_threshold_for_an_error_rate_is_printed_without_a_service() -> None:
    assert "sface: threshold 1." in run_facenet("threshold", "--fmr", "1e-4")
    assert "Enrolled faces: 1,000." in run_facenet("threshold", "--fpir", "0.01", "--people", "1000")
    assert "does not reach" in run_facenet("threshold", "--fpir", "0.01", "--people", "10000000", code=1)
    for options in (("--fmr", "nan"), ("--fmr", "0"), ("--fpir", "1"), ("--fmr", "0.1", "--fpir", "0.1"), ()):
        run_facenet("threshold", *options, code=2)


@pytest.mark.parametrize("program", ["service", "models"])
def test_each_program_prints_its_version(program: str) -> None:
    name = {"service": "facenet", "models": "facenet-models"}[program]
    command = [sys.executable, "-m", program, "--version"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout == f"{name} {metadata.version('facenet-service')}\n"


def test_a_command_beside_the_service_does_not_import_what_only_the_service_needs() -> None:
    """The start is a good part of the time that a command takes."""
    code = "import sys, service.__main__; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    packages = {"cv2", "fastapi", "onnxruntime", "pydantic_settings", "scipy", "sklearn", "sqlalchemy", "structlog"}
    assert not packages & set(result.stdout.split())


def test_commands_that_print_much_end_without_a_word_if_nobody_reads(
    service: RunningService, photographs: Path
) -> None:
    photograph = str(photographs / "obama" / "obama.jpg")
    assert run_for_nobody("keys", "list", "--url", service.url) == (1, "")
    code, said = run_for_nobody("identify", photograph, "--url", service.url)
    assert (code, "roken" in said) == (1, False)
