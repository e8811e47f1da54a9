"""The answers of an identification as CSV, as JSON lines, and for people."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from facenet_client import schemas
from service.commands.photographs.left_out import LeftOut
from service.commands.recognition.identified import IdentifiedFace, IdentifiedPhotograph
from service.commands.recognition.table import line_of, searched_line, to_csv, to_json_lines
from service.domain.command_errors import RequestRefused
from service.domain.face import Box

BOX = Box(-1.5, 2, 30, 40)
HOSTILE = "=HYPERLINK(1)"
PHOTOGRAPHS = [
    IdentifiedPhotograph(
        Path("-x\n.jpg"),
        (
            IdentifiedFace("match", "ada", HOSTILE, 0.5, 71.2, 0.5, (), BOX),
            IdentifiedFace("ambiguous", None, None, None, None, 0.8, ("bob", "eve"), BOX),
            IdentifiedFace("unknown", None, None, None, None, 1.3, (), BOX),
        ),
        1.0,
        1_500,
    ),
    IdentifiedPhotograph(Path("meadow.jpg"), (), 1.0, 1_500),
]
LEFT_OUT = [LeftOut(Path("broken.jpg"), "refused", "unreadable_image", "The reason.")]


def test_each_face_is_a_row_and_so_is_a_photograph_without_one() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(PHOTOGRAPHS, LEFT_OUT))))
    assert [(row["file"], row["decision"], row["subject"], row["name"]) for row in rows] == [
        ("'-x .jpg", "match", "ada", f"'{HOSTILE}"),
        ("'-x .jpg", "ambiguous", "bob or eve", ""),
        ("'-x .jpg", "unknown", "", ""),
        ("meadow.jpg", "no face", "", ""),
        ("broken.jpg", "refused", "", ""),
    ]
    assert [rows[0][name] for name in ("distance", "score", "x", "y", "width", "height")] == [
        "0.5",
        "71.2",
        "-1.5",
        "2",
        "30",
        "40",
    ]
    assert [row["nearest_distance"] for row in rows] == ["0.5", "0.8", "1.3", "", ""]
    assert [(row["threshold"], row["reason"]) for row in rows] == [
        *[("1.0", "")] * 4,
        ("", "unreadable_image: The reason."),
    ]


def test_a_line_of_json_has_the_exact_names() -> None:
    first, second, third = (json.loads(line) for line in to_json_lines(PHOTOGRAPHS, LEFT_OUT).splitlines())
    assert first["file"] == "-x\n.jpg"
    assert [face["name"] for face in first["faces"]] == [HOSTILE, None, None]
    assert first["faces"][1]["between"] == ["bob", "eve"]
    assert first["faces"][0]["box"] == {"x": -1.5, "y": 2, "width": 30, "height": 40}
    assert second["faces"] == []
    assert (third["file"], third["status"], third["code"]) == ("broken.jpg", "refused", "unreadable_image")


def test_the_line_for_people_names_everybody() -> None:
    assert line_of(PHOTOGRAPHS[0]) == f"-x .jpg: {HOSTILE} (match, score 71), bob or eve (ambiguous), unknown"
    assert line_of(PHOTOGRAPHS[1]) == "meadow.jpg: no face"


def test_the_last_line_says_what_was_searched_and_at_which_threshold() -> None:
    assert searched_line(PHOTOGRAPHS, "staff") == (
        "Enrolled faces in the collection staff: 1,500. Threshold: 1.000, a squared L2 distance."
    )
    later = IdentifiedPhotograph(Path("x.jpg"), (), 0.98, 1_501)  # somebody was enrolled meanwhile
    assert searched_line([*PHOTOGRAPHS, later], "staff") == (
        "Enrolled faces in the collection staff: 1,501. Threshold: 0.980 to 1.000, a squared L2 distance."
    )


ADA = {"subject": "ada", "name": None, "distance": 0.4, "score": 80.0, "face": "f1"}
BOB = {"subject": "bob", "name": "Bob", "distance": 1.1, "score": 40.0, "face": "f2"}
ANSWER: dict[str, Any] = {
    "decision": "match",
    "subject": "ada",
    "distance": 0.4,
    "score": 80.0,
    "between": [],
    "nearest_taken_by": None,
    "candidates": [ADA],
    "box": {"x": 0, "y": 0, "width": 1, "height": 1},
    "landmarks": None,
    "detection_score": None,
    "roll": None,
    "quality": None,
}


def read(**fields: object) -> IdentifiedFace:
    """Return what a command reads of ANSWER with other values of some fields."""
    return IdentifiedFace.of(schemas.IdentifiedFace.model_validate(ANSWER | fields))


def test_a_subject_without_a_name_is_shown_by_its_id() -> None:
    assert read().shown_name == "ada"
    named = read(candidates=[ADA | {"name": "Ada"}, BOB])
    assert (named.shown_name, named.nearest_distance) == ("Ada", 0.4)


def test_a_face_of_an_empty_collection_has_no_nearest_distance() -> None:
    assert read(decision="unknown", subject=None, distance=None, score=None, candidates=[]).nearest_distance is None


def test_a_face_of_a_photograph_has_a_box() -> None:
    with pytest.raises(RequestRefused, match="does not say where a face"):
        read(box=None)
