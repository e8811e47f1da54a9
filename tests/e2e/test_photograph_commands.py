"""`facenet cluster`, `compare`, `identify` and `verify`, on real photographs and with a running service."""

import csv
import hashlib
import json
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree  # noqa: ICN001  # ET says nothing

import httpx
import pytest

from tests.support.commands import run_facenet
from tests.support.running_service import RunningService, facenet_command
from tests.support.sample_images import place_side_by_side, png_without_face

pytestmark = pytest.mark.slow

HOSTILE_NAME = "=Ada\"><x/> & 'Bob'"
INTERRUPTED = 130
END_S = 10
"""How long a command may take to end after Ctrl-C, on a machine that others use too. Alone, it takes half a second."""


def digests(folder: Path) -> dict[str, str]:
    """Return the sha256 of every file below a folder."""
    files = (file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def names_below(folder: Path) -> dict[str, set[str]]:
    return {one.name: {file.name for file in one.iterdir()} for one in folder.iterdir() if one.is_dir()}


def rows_of(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(file.read_text("utf-8").splitlines()))


@pytest.fixture
def album(photographs: Path, tmp_path: Path) -> Path:
    """Return a folder of photographs: Obama (5), Biden (1), both of them (1), Collins (1), and files without a face."""
    folder = tmp_path / "album"
    (folder / "2024").mkdir(parents=True)
    for file in (photographs / "obama").iterdir():
        shutil.copy(file, folder / "2024")
    shutil.copy(photographs / "biden" / "biden.jpg", folder)
    shutil.copy(photographs / "eileen_collins" / "astronaut.png", folder)
    obama, biden = (photographs / name for name in ("obama/obama.jpg", "biden/biden.jpg"))
    (folder / "both\n\x1b[2J.png").write_bytes(place_side_by_side(obama.read_bytes(), biden.read_bytes()))
    (folder / "meadow.png").write_bytes(png_without_face())
    (folder / "broken.jpg").write_bytes(b"broken")
    (folder / "notes.txt").write_text("not a photograph")
    return folder


def test_an_album_is_sorted_into_a_folder_for_each_person(service: RunningService, album: Path, tmp_path: Path) -> None:
    before, out = digests(album), tmp_path / "sorted"
    output = run_facenet("cluster", str(album), "--out", str(out), "--url", service.url, code=1)
    obama = {file.name for file in (album / "2024").iterdir()}
    both = "both\n\x1b[2J.png"
    assert names_below(out) == {
        "person-001": {*obama, both},
        "person-002": {"biden.jpg", both},
        "others": {"astronaut.png"},
        "without-face": {"meadow.png"},
    }
    assert {(file.resolve(), file.is_symlink()) for file in (out / "person-002").iterdir()} == {
        (album / name, True) for name in ("biden.jpg", both)
    }
    assert (out / "contact-sheet-01.jpg").is_file()
    for text in (
        "broken.jpg: This is text, and not the bytes of an image. Send a JPEG, PNG, WebP",
        "BMP or GIF. (code unreadable_image)",
        "notes.txt: The suffix",
        "People: 2. Contact sheets: 1. Photographs in others: 1, in without-face: 1.",
        "At most 1 % of the folders of people are expected to have faces of several people.",
    ):
        assert text in output
    assert "\x1b[2J" not in output
    assert digests(album) == before


def test_the_report_names_every_face_and_what_was_left_out(
    service: RunningService, album: Path, tmp_path: Path
) -> None:
    run_facenet("cluster", str(album), "--out", str(tmp_path / "sorted"), "--copy", "--url", service.url, code=1)
    rows = rows_of(tmp_path / "sorted" / "report.csv")
    people = [(Path(row["file"]).name, row["person"]) for row in rows]
    assert sorted(person for name, person in people if name.startswith("both")) == ["person-001", "person-002"]
    assert [person for name, person in people if name in {"meadow.png", "astronaut.png"}] == ["", ""]
    report = json.loads((tmp_path / "sorted" / "report.json").read_text("utf-8"))
    assert len(report["faces"]) == len(rows)
    assert 0 < report["threshold"] < 2
    assert report["expected_mixed_share"] == 0.01
    assert {(Path(item["file"]).name, item["code"]) for item in report["left_out"]} == {
        ("broken.jpg", "unreadable_image"),
        ("notes.txt", "unknown_suffix"),
    }
    copied = tmp_path / "sorted" / "person-002" / "biden.jpg"
    assert not copied.is_symlink()
    assert copied.read_bytes() == (album / "biden.jpg").read_bytes()


def test_nothing_is_overwritten_and_a_folder_in_the_album_is_refused(
    service: RunningService, album: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "x").touch()
    for out, reason in ((tmp_path / "mine", "nothing is overwritten"), (album / "sorted", "one in the other")):
        assert reason in run_facenet("cluster", str(album), "--out", str(out), "--url", service.url, code=1)
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["x"]


def test_without_a_service_nothing_is_written(album: Path, tmp_path: Path) -> None:
    output = run_facenet(
        "cluster", str(album), "--out", str(tmp_path / "sorted"), "--url", "http://127.0.0.1:9", code=1
    )
    assert "No service answers" in output
    assert [file.name for file in tmp_path.iterdir()] == ["album"]


@pytest.mark.parametrize(
    ("arguments", "how_to_go_on"),
    [
        (("cluster", "--out", "sorted"), "Nothing was written to sorted."),
        (("compare",), "Nothing was written."),
        (("identify",), "Nothing was written."),
        (("enrol",), "Run the same command again"),
    ],
)
def test_after_an_interrupt_a_command_says_how_to_go_on_and_leaves_nothing(
    album: Path, tmp_path: Path, arguments: tuple[str, ...], how_to_go_on: str
) -> None:
    name, *options = arguments
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it accepts requests, and never answers
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        command = facenet_command(name, str(album), *options, "--url", url)
        with subprocess.Popen(
            command,
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=_listen_to_interrupts,  # noqa: PLW1509  # no other thread of the test works now
        ) as process:
            asking, _ = silent.accept()
            with asking:
                asking.recv(1)
                time.sleep(0.2)  # now it waits. Python notices a signal that comes just before it waits only afterwards
                process.send_signal(signal.SIGINT)
                _, error_output = process.communicate(timeout=END_S)
            assert process.returncode == INTERRUPTED, error_output
    assert how_to_go_on in error_output
    assert re.search(r"facenet: 0 of \d+ photographs were done\.", error_output)
    assert [file.name for file in tmp_path.iterdir()] == ["album"]


def test_a_file_that_no_request_can_hold_is_refused_unread_and_the_others_are_sent(
    service: RunningService, photographs: Path, tmp_path: Path
) -> None:
    people, url = tmp_path / "people", ("--url", service.url)
    (people / "obama").mkdir(parents=True)
    obama = shutil.copy(photographs / "obama" / "obama.jpg", people / "obama")
    huge = people / "obama" / "huge.jpg"
    with huge.open("wb") as opened:
        opened.truncate(2**38)  # more than any memory; it takes no space
    refused = f"refused: {huge}: The file has 274,877,906,944 bytes, and the service accepts 33,554,432"
    for command in (("cluster", "--out", str(tmp_path / "sorted")), ("compare",), ("enrol", "--collection", "huge")):
        assert refused in run_facenet(command[0], str(people), *command[1:], *url, code=1)
    assert (tmp_path / "sorted" / "others" / "obama.jpg").exists()
    output = run_facenet("identify", str(people), "--collection", "huge", *url, code=1)
    assert refused in output
    assert f"{obama}: obama (match" in output
    assert f"facenet: {huge}: The file has" in run_facenet("verify", str(obama), str(huge), *url, code=1)


def test_photographs_of_one_person_in_two_folders_and_identical_files_are_reported(
    service: RunningService, photographs: Path, tmp_path: Path
) -> None:
    people = tmp_path / "people"
    for name, files in {"barack": ["obama/obama.jpg"], "president": ["obama/obama2.jpg", "biden/biden.jpg"]}.items():
        (people / name).mkdir(parents=True)
        for file in files:
            shutil.copy(photographs / file, people / name)
    (people / "joe").mkdir()
    shutil.copy(photographs / "biden" / "biden.jpg", people / "joe" / "=joe.jpg")
    table = tmp_path / "doubles.csv"
    output = run_facenet("compare", str(people), "--csv", str(table), "--url", service.url)
    joe, biden = str(people / "joe" / "=joe.jpg"), str(people / "president" / "biden.jpg")
    assert f"identical: {joe} = {biden}" in output
    assert [(row["kind"], row["file_a"], row["file_b"]) for row in rows_of(table)] == [
        ("identical", joe, biden),
        ("same person", joe, biden),
        ("same person", str(people / "barack" / "obama.jpg"), str(people / "president" / "obama2.jpg")),
    ]
    assert "Pairs of folders with one person: 2." in output
    run_facenet("compare", str(people), "--csv", str(table), "--url", service.url, code=1)


def enrol(service: RunningService, collection: str, subjects: Iterable[tuple[str, str, Path]]) -> None:
    """Enrol subjects: the id, the name and a photograph of each."""
    httpx.put(f"{service.url}/collections/{collection}").raise_for_status()
    with httpx.Client(base_url=f"{service.url}/collections/{collection}", timeout=60) as client:
        for subject, name, file in subjects:
            client.post("/subjects", json={"id": subject, "name": name}).raise_for_status()
            client.post(f"/subjects/{subject}/faces", files={"images": file.read_bytes()}).raise_for_status()


def test_everybody_in_an_album_is_named_in_csv_json_and_face_regions(
    service: RunningService, photographs: Path, album: Path, tmp_path: Path
) -> None:
    obama, biden = photographs / "obama" / "obama.jpg", photographs / "biden" / "biden.jpg"
    enrol(service, "hostile", [("barack", HOSTILE_NAME, obama), ("joe", "Joe", biden)])
    before = digests(album)
    options = ("--collection", "hostile", "--csv", str(tmp_path / "a.csv"), "--jsonl", str(tmp_path / "a.jsonl"))
    output = run_facenet("identify", str(album), *options, "--xmp", "--url", service.url, code=1)
    rows = rows_of(tmp_path / "a.csv")
    by_file = {Path(row["file"]).name: row for row in rows}
    assert (by_file["obama2.jpg"]["decision"], by_file["obama2.jpg"]["subject"]) == ("match", "barack")
    assert 1 < float(by_file["meadow.png"]["threshold"]) < 2
    assert [by_file[name]["reason"].partition(":")[0] for name in ("obama2.jpg", "broken.jpg", "notes.txt")] == [
        "",
        "unreadable_image",
        "unknown_suffix",
    ]
    assert by_file["obama2.jpg"]["name"] == f"'{HOSTILE_NAME}"
    assert [by_file[name]["decision"] for name in ("astronaut.png", "meadow.png", "broken.jpg", "notes.txt")] == [
        "unknown",
        "no face",
        "refused",
        "not sent",
    ]
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    (both,) = (line for line in lines if "both" in line["file"])
    assert {face["name"] for face in both["faces"]} == {HOSTILE_NAME, "Joe"}
    assert "\x1b[2J" not in output
    names_in_regions(album / "biden.jpg.xmp", {"Joe"})
    names_in_regions(album / "both\n\x1b[2J.png.xmp", {"Joe", HOSTILE_NAME})
    assert not (album / "astronaut.png.xmp").exists()
    assert {name: digest for name, digest in digests(album).items() if not name.endswith(".xmp")} == before


def names_in_regions(sidecar: Path, expected: set[str]) -> None:
    """Check the names of the face regions in an XMP file."""
    document = ElementTree.fromstring(sidecar.read_text("utf-8"))  # noqa: S314  # our own document
    name = "{http://www.metadataworkinggroup.com/schemas/regions/}Name"
    assert {element.attrib[name] for element in document.iter() if name in element.attrib} == expected


def test_a_second_run_keeps_the_files_of_the_first(service: RunningService, photographs: Path, tmp_path: Path) -> None:
    photograph = tmp_path / "biden.jpg"
    shutil.copy(photographs / "biden" / "biden.jpg", photograph)
    enrol(service, "kept", [("joe", "Joe", photograph)])
    identify = ("identify", str(photograph), "--collection", "kept", "--xmp", "--url", service.url)
    assert "Sidecar files written: 1." in run_facenet(*identify)
    (tmp_path / "biden.jpg.xmp").write_text("mine")
    assert "It was kept." in run_facenet(*identify)
    assert (tmp_path / "biden.jpg.xmp").read_text() == "mine"


def test_several_photographs_and_folders_are_identified_together(service: RunningService, photographs: Path) -> None:
    joe = photographs / "biden" / "biden.jpg"
    enrol(service, "several", [("joe", "Joe", joe)])
    paths = (str(joe), str(photographs / "biden"), str(photographs / "obama" / "obama.jpg"))
    lines = run_facenet("identify", *paths, "--collection", "several", "--url", service.url).splitlines()
    about = [line for line in lines if line.startswith(str(photographs))]
    assert about[0] == f"{joe}: Joe (match, score 100)"
    assert about[-1].startswith(f"{paths[2]}: unknown")
    assert [line.startswith(f"{photographs}/biden/") for line in about] == [True] * (len(about) - 1) + [False]
    assert about.count(about[0]) == 2


def test_two_photographs_are_verified_and_the_exit_code_says_the_result(
    service: RunningService, photographs: Path, tmp_path: Path
) -> None:
    obama, obama2, biden = (
        str(photographs / name) for name in ("obama/obama.jpg", "obama/obama2.jpg", "biden/biden.jpg")
    )
    assert run_facenet("verify", obama, obama2, "--url", service.url).startswith("The same person: distance 0.4")
    assert run_facenet("verify", obama, biden, "--url", service.url, code=3).startswith("Two people: distance 1.")
    assert json.loads(run_facenet("verify", obama, obama2, "--json", "--url", service.url))["verified"]
    (tmp_path / "meadow.png").write_bytes(png_without_face())
    output = run_facenet("verify", obama, str(tmp_path / "meadow.png"), "--url", service.url, code=1)
    assert output.startswith(f"facenet: {tmp_path / 'meadow.png'}: ")
    assert "(code no_face, request " in output
    run_facenet("verify", obama, str(tmp_path / "missing.jpg"), "--url", service.url, code=2)
    for options in (("--max-fmr", "5"), ("--max-fmr", "nan"), ("--max-fmr", "0.1", "--threshold", "1")):
        run_facenet("verify", obama, obama2, *options, "--url", service.url, code=2)


def test_a_collection_without_faces_one_that_is_missing_and_a_wrong_id_are_said(
    service: RunningService, photographs: Path
) -> None:
    httpx.put(f"{service.url}/collections/empty").raise_for_status()
    identify = ("identify", str(photographs / "biden"), "--url", service.url, "--collection")
    output = run_facenet(*identify, "empty")
    assert (
        "facenet: Nobody is enrolled in the collection empty, so nobody can be found there. Pass --collection" in output
    )
    assert "Enrolled faces in the collection empty: 0. Threshold: " in output
    output = run_facenet(*identify, "tema", code=1)
    assert "There is no collection tema, or the access key does not include it. facenet enrol FOLDER" in output
    assert "(code collection_not_found, request " in output
    assert "Identifying" not in output, "a progress bar before the error"
    assert "An id has letters" in run_facenet(*identify, "my team", code=2, COLUMNS="200")
    run_facenet(*identify, "empty", "--max-fpir", "5", code=2)
    enrol(service, "filled", [("joe", "Joe", photographs / "biden" / "biden.jpg")])
    output = run_facenet(*identify, "filled")
    assert "Nobody is enrolled" not in output
    assert "Enrolled faces in the collection filled: 1. Threshold: 1." in output


def test_a_running_service_is_found_by_the_doctor(service: RunningService, models_dir: Path) -> None:
    port = service.url.rpartition(":")[2]
    output = run_facenet("doctor", FACE_PORT=port, FACE_MODELS__DIR=str(models_dir))
    assert f"one runs at {service.url}, and is ready." in output


@pytest.mark.lfw
def test_every_photograph_of_several_people_is_in_the_folder_of_each_of_them(
    service: RunningService, lfw: Path, tmp_path: Path
) -> None:
    """Twenty photographs of three people each, made of single ones. Every person is in four or more of them."""
    people = [person for person in sorted((lfw / "images").iterdir()) if len(list(person.iterdir())) >= 4][:15]
    album = tmp_path / "album"
    album.mkdir()
    expected: dict[str, set[str]] = {}
    for number in range(20):
        shown = [people[(number * 3 + place) % len(people)] for place in range(3)]
        files = [sorted(person.iterdir())[number * 3 // len(people)] for person in shown]
        name = f"{number:02}.png"
        (album / name).write_bytes(place_side_by_side(*(file.read_bytes() for file in files)))
        for person in shown:
            expected.setdefault(person.name, set()).add(name)
    run_facenet("cluster", str(album), "--out", str(tmp_path / "sorted"), "--url", service.url)
    found = [names for folder, names in names_below(tmp_path / "sorted").items() if folder.startswith("person-")]
    for name_of_person, names in expected.items():
        assert names in found, name_of_person


def _listen_to_interrupts() -> None:
    """A test run in the background of a shell ignores SIGINT, and its children would too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
