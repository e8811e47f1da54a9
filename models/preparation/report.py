"""report.json: every photograph that was dropped and every face that was flagged, by reason."""

from collections import Counter
from collections.abc import Iterator
from typing import Literal, get_args

from models.preparation.folder import PeopleFolder
from models.preparation.shard_records import DroppedPhotograph, DropReason, ShardRecords
from models.preparation.shards import Flag, JsonModel


class NearDuplicate(JsonModel):
    """A face that is nearly the same as another face of its person.

    of: the file of the other face.
    sq_l2: the distance of the two faces.
    """

    key: str
    file: str
    of: str
    sq_l2: float


class Mislabelled(JsonModel):
    """A face that is far from the other faces of its person and nearer to another person.

    nearer_to: the other person.
    own_sq_l2: the distance to the mean of the other faces of its own person.
    other_sq_l2: the distance to the mean of the person `nearer_to`.
    """

    key: str
    file: str
    nearer_to: str
    own_sq_l2: float
    other_sq_l2: float


class FlaggedFaces(JsonModel):
    """The flagged faces, by flag. They stay in the face set. A reader of the set can leave them out."""

    near_duplicate: tuple[NearDuplicate, ...]
    mislabelled: tuple[Mislabelled, ...]

    def keys(self) -> dict[Flag, tuple[str, ...]]:
        """Return the keys of the flagged faces, by flag."""
        return {
            "near_duplicate": tuple(face.key for face in self.near_duplicate),
            "mislabelled": tuple(face.key for face in self.mislabelled),
        }


class PreparationReport(JsonModel):
    """The result of a preparation.

    photographs: how many files were read.
    faces, people: how many are in the face set.
    people_without_a_face, people_with_one_face: names. One face makes no mated pair, but it can be a negative.
    """

    format: Literal[1] = 1
    photographs: int
    faces: int
    people: int
    people_without_a_face: tuple[str, ...]
    people_with_one_face: tuple[str, ...]
    dropped: dict[DropReason, tuple[DroppedPhotograph, ...]]
    flagged: FlaggedFaces

    def lines(self) -> Iterator[tuple[str, str]]:
        """Yield the name and the value of each count, as text."""
        yield "photographs", f"{self.photographs:,}"
        yield "faces", f"{self.faces:,}"
        yield "people", f"{self.people:,}"
        yield "people with one face", f"{len(self.people_with_one_face):,}"
        yield "people without a face, dropped", f"{len(self.people_without_a_face):,}"
        for reason, files in self.dropped.items():
            yield f"{reason.replace('_', ' ')}, dropped", f"{len(files):,}"
        yield "near duplicate, flagged", f"{len(self.flagged.near_duplicate):,}"
        yield "mislabelled, flagged", f"{len(self.flagged.mislabelled):,}"


def make_report(folder: PeopleFolder, records: ShardRecords, flagged: FlaggedFaces) -> PreparationReport:
    """Count what was read, dropped and flagged."""
    faces = Counter(face.origin.person for record in records for face in record.faces)
    dropped = [photograph for record in records for photograph in record.dropped]
    return PreparationReport(
        photographs=len(folder),
        faces=faces.total(),
        people=len(faces),
        people_without_a_face=tuple(name for name in folder.people if name not in faces),
        people_with_one_face=tuple(name for name, count in faces.items() if count == 1),
        dropped={
            reason: tuple(photograph for photograph in dropped if photograph.reason == reason)
            for reason in get_args(DropReason)
        },
        flagged=flagged,
    )
