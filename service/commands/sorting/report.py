"""The report of sorted photographs: who each face of each photograph is. As CSV, and as JSON."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from service.commands.output import csv_text, write_text
from service.commands.photographs.face_finding import FoundFaces
from service.commands.sorting.people import SortedPeople

HEADER = ("file", "person", "x", "y", "width", "height")


def write_report(folder: Path, found: FoundFaces, result: SortedPeople) -> None:
    """Write report.csv and report.json into a folder. Raises FileNotWritten.

    A face of somebody who has no folder has no person. A photograph without a face has a row without a face.
    """
    person_of = {face: person.name for person in result.people for face in person.faces}
    rows = list(_rows(found, person_of))
    write_text(folder / "report.csv", csv_text(HEADER, rows))
    content = {
        "threshold": result.threshold_sq_l2,
        "expected_mixed_share": result.expected_mixed_share,
        "faces": [dict(zip(HEADER, row, strict=True)) for row in rows],
        "left_out": [json.loads(item.to_json()) for item in found.left_out],
    }
    write_text(folder / "report.json", json.dumps(content, indent=1) + "\n")


def _rows(found: FoundFaces, person_of: dict[int, str]) -> Iterable[tuple[str | float | None, ...]]:
    faces_of: dict[int, list[int]] = {}
    for position, face in enumerate(found.faces):
        faces_of.setdefault(face.photograph, []).append(position)
    for number, file in enumerate(found.photographs):
        for position in faces_of.get(number, ()):
            yield str(file), person_of.get(position), *asdict(found.faces[position].box).values()
        if number not in faces_of:
            yield str(file), None, None, None, None, None
