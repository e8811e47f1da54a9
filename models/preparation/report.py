"""report.json: everything that was dropped or flagged, by reason, file by file."""

from collections import Counter
from collections.abc import Iterator
from typing import Literal, get_args

from models.preparation.folder import Folder
from models.preparation.records import Dropped, Reason, Records
from models.preparation.shards import Flag, Written


class NearDuplicate(Written):
    """A face that shows nearly what another of the same person shows. sq_l2: how far apart they are."""

    key: str
    file: str
    of: str
    sq_l2: float


class Mislabelled(Written):
    """A face that is far from its own person's others (own_sq_l2) and nearer to another person (other_sq_l2)."""

    key: str
    file: str
    nearer_to: str
    own_sq_l2: float
    other_sq_l2: float


class Flagged(Written):
    """By flag. Flagged faces are in the set; whoever loads it says whether they count."""

    near_duplicate: tuple[NearDuplicate, ...]
    mislabelled: tuple[Mislabelled, ...]

    def keys(self) -> dict[Flag, tuple[str, ...]]:
        """Of the flagged faces, by flag."""
        return {
            "near_duplicate": tuple(one.key for one in self.near_duplicate),
            "mislabelled": tuple(one.key for one in self.mislabelled),
        }


class Report(Written):
    """photographs: how many were looked at. faces, people: how many are in the set.

    people_without_a_face, people_with_one_face: their names. One face makes no pair, but is another's negative.
    """

    format: Literal[1] = 1
    photographs: int
    faces: int
    people: int
    people_without_a_face: tuple[str, ...]
    people_with_one_face: tuple[str, ...]
    dropped: dict[Reason, tuple[Dropped, ...]]
    flagged: Flagged

    def lines(self) -> Iterator[tuple[str, str]]:
        """What was counted, name by name, for a person to read."""
        yield "photographs", f"{self.photographs:,}"
        yield "faces", f"{self.faces:,}"
        yield "people", f"{self.people:,}"
        yield "people with one face", f"{len(self.people_with_one_face):,}"
        yield "people without a face, dropped", f"{len(self.people_without_a_face):,}"
        for reason, files in self.dropped.items():
            yield f"{reason.replace('_', ' ')}, dropped", f"{len(files):,}"
        yield "near duplicate, flagged", f"{len(self.flagged.near_duplicate):,}"
        yield "mislabelled, flagged", f"{len(self.flagged.mislabelled):,}"


def report_of(folder: Folder, records: Records, flagged: Flagged) -> Report:
    """All of a run."""
    faces = Counter(face.origin.person for record in records for face in record.faces)
    dropped = [one for record in records for one in record.dropped]
    return Report(
        photographs=len(folder),
        faces=faces.total(),
        people=len(faces),
        people_without_a_face=tuple(name for name in folder.people if name not in faces),
        people_with_one_face=tuple(name for name, count in faces.items() if count == 1),
        dropped={reason: tuple(one for one in dropped if one.reason == reason) for reason in get_args(Reason)},
        flagged=flagged,
    )
