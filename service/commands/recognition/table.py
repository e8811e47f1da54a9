"""The answers of an identification: as CSV, as JSON lines, and as lines for people."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict

from service.commands.output import csv_text, printable
from service.commands.photographs.left_out import STATUSES, LeftOut
from service.commands.recognition.identified import IdentifiedPhotograph

HEADER = ("file", "decision", "subject", "name", "distance", "score", "x", "y", "width", "height")


def to_csv(photographs: Iterable[IdentifiedPhotograph], left_out: Iterable[LeftOut]) -> str:
    """Return a row for each face. A photograph without a face, or that was refused, has one row that says so."""
    return csv_text(HEADER, _rows(photographs, left_out))


def to_json_lines(photographs: Iterable[IdentifiedPhotograph], left_out: Iterable[LeftOut]) -> str:
    """Return a line for each photograph, with all of its faces, and then a line for each file that was left out."""
    lines = (
        json.dumps({"file": str(one.file), "threshold": one.threshold, "faces": [asdict(face) for face in one.faces]})
        for one in photographs
    )
    return "".join(f"{line}\n" for line in [*lines, *(item.to_json() for item in left_out)])


def line_of(photograph: IdentifiedPhotograph) -> str:
    """Return the line for people: the file, and who is in it."""
    faces = [
        f"{printable(face.shown_name)} ({face.decision}{'' if face.score is None else f', score {face.score:.0f}'})"
        if face.decision != "unknown"
        else "unknown"
        for face in photograph.faces
    ]
    return f"{printable(str(photograph.file))}: {', '.join(faces) or 'no face'}"


def _rows(
    photographs: Iterable[IdentifiedPhotograph], left_out: Iterable[LeftOut]
) -> Iterator[tuple[str | float | None, ...]]:
    for one in photographs:
        for face in one.faces:
            subject = face.subject or " or ".join(face.between)
            box = asdict(face.box).values()
            yield str(one.file), face.decision, subject, face.name, face.distance, face.score, *box
        if not one.faces:
            yield str(one.file), "no face", *[None] * 8
    for item in left_out:
        yield str(item.path), STATUSES[item.status], *[None] * 8
