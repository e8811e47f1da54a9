"""The answers of an identification: as CSV, as JSON lines, and as lines for people."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict

from service.commands.output import csv_text, printable
from service.commands.photographs.left_out import STATUSES, LeftOut
from service.commands.recognition.identified import IdentifiedPhotograph

_OF_FACE = ("decision", "subject", "name", "distance", "score", "nearest_distance", "x", "y", "width", "height")
_NOTHING = (None,) * (len(_OF_FACE) - 1)
HEADER = ("file", *_OF_FACE, "threshold", "reason")


def to_csv(photographs: Iterable[IdentifiedPhotograph], left_out: Iterable[LeftOut]) -> str:
    """Return a row for each face. A photograph without a face, and a file that was left out, have one row that says so.

    The reason of a file that was left out begins with its code.
    """
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


def searched_line(photographs: Sequence[IdentifiedPhotograph], collection: str) -> str:
    """Return the line that says what was searched, and at which threshold. photographs: at least one.

    If somebody else enrols meanwhile, the threshold changes. Then the line has the lowest and the highest.
    """
    low, high = (choose(one.threshold for one in photographs) for choose in (min, max))
    threshold = f"{low:.3f}" if low == high else f"{low:.3f} to {high:.3f}"
    faces = photographs[-1].gallery_size
    return f"Enrolled faces in the collection {collection}: {faces:,}. Threshold: {threshold}, a squared L2 distance."


def _rows(
    photographs: Iterable[IdentifiedPhotograph], left_out: Iterable[LeftOut]
) -> Iterator[tuple[str | float | None, ...]]:
    for one in photographs:
        for face in one.faces:
            subject = face.subject or " or ".join(face.between)
            box = asdict(face.box).values()
            distances = face.distance, face.score, face.nearest_distance
            yield str(one.file), face.decision, subject, face.name, *distances, *box, one.threshold, None
        if not one.faces:
            yield str(one.file), "no face", *_NOTHING, one.threshold, None
    for item in left_out:
        yield str(item.path), STATUSES[item.status], *_NOTHING, None, f"{item.code}: {item.detail}"
