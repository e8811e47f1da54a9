"""The report of an enrolment: its lines, its JSON, and whether the enrolment is complete."""

import json
from pathlib import Path

import pytest

from service.commands.enrolment.report import EnrolmentReport
from service.commands.photographs.left_out import MAX_LISTED, LeftOut, Status


def report_of(*items: tuple[str, Status, str], enrolled: int = 0) -> EnrolmentReport:
    report = EnrolmentReport()
    report.counts["enrolled"] += enrolled
    report.add(*(LeftOut(Path(path), status, code, "The reason.") for path, status, code in items))
    return report


def test_the_lines_name_every_file_and_end_with_the_counts() -> None:
    report = report_of(("ada/1.jpg", "refused", "no_face"), ("ada/x.txt", "not_sent", "unknown_suffix"), enrolled=2)
    report.merge(report_of(("bob", "without_face", "person_without_face"), ("bob/2.jpg", "refused", "several_faces")))
    assert list(report.lines()) == [
        "refused: ada/1.jpg: The reason. (code no_face)",
        "refused: bob/2.jpg: The reason. (code several_faces)",
        "not sent: ada/x.txt: The reason.",
        "without face: bob: The reason.",
        "enrolled           2",
        "known              0",
        "refused            2  1 no_face, 1 several_faces",
        "not sent           1  1 unknown_suffix",
        "without face       1  1 person_without_face",
    ]


def test_a_photograph_of_another_subject_is_listed_with_the_id_of_its_face() -> None:
    report = EnrolmentReport()
    report.add(LeftOut(Path("ada/1.jpg"), "refused", "known_elsewhere", "The reason.", "f1"))
    assert next(report.lines()) == "refused: ada/1.jpg: The reason. The face is f1. (code known_elsewhere)"
    assert json.loads(next(report.json_lines()))["face"] == "f1"


def test_a_long_list_is_printed_in_part_and_written_completely() -> None:
    report = report_of(*((f"{number}.jpg", "refused", "no_face") for number in range(MAX_LISTED + 5)))
    assert len(list(report.lines())) == MAX_LISTED + 6
    assert "refused: 5 more. --report FILE writes all of them to a file." in report.lines()
    assert len(list(report.json_lines())) == MAX_LISTED + 5


def test_a_name_that_is_no_text_can_be_printed_and_written() -> None:
    report = report_of(("caf\udce9\x1b[2J\n.jpg", "refused", "no_face"))
    line = next(report.lines())
    assert line.encode().decode().isprintable()
    (json_line,) = report.json_lines()
    assert json.loads(json_line.encode())["file"] == "caf\udce9\x1b[2J\n.jpg"


@pytest.mark.parametrize(("status", "is_complete"), [("not_sent", True), ("refused", False), ("without_face", False)])
def test_an_enrolment_is_complete_if_nothing_is_refused_and_everybody_has_a_face(
    status: Status, *, is_complete: bool
) -> None:
    assert report_of(enrolled=1).is_complete
    assert report_of(("x", status, "code"), enrolled=1).is_complete == is_complete


def test_a_report_has_a_face_if_a_photograph_is_enrolled_now_or_before() -> None:
    report = report_of(("x", "refused", "no_face"))
    assert not report.has_face
    report.counts["known"] += 1
    assert report.has_face
