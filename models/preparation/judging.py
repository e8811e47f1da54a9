"""The records of a set and their embeddings -> which files are flagged, and why."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from models.preparation.flags import Means, People, Suspect, near_duplicates
from models.preparation.records import Record, Records, read_embeddings
from models.preparation.report import Flagged, Mislabelled, NearDuplicate
from service.domain import Embeddings

DIGITS = 4
"""Of the distances in the report."""


def judge(out: Path, records: Records, dimension: int) -> Flagged:
    """Two passes over the embeddings, a shard at a time. dimension: of the embeddings."""
    names = sorted({face.origin.person for record in records for face in record.faces})
    numbers = {name: number for number, name in enumerate(names)}
    means = Means(len(names), dimension)
    near: list[NearDuplicate] = []
    wrong: list[Mislabelled] = []
    for record in _filled(records):
        embeddings, people = read_embeddings(out, record), _people(record, numbers)
        means.add(embeddings, people)
        near += _near_duplicates(record, embeddings, people)
    for record in _filled(records):
        suspects = means.suspects(read_embeddings(out, record), _people(record, numbers))
        wrong += (_mislabelled(record, suspect, names[suspect.nearer_to]) for suspect in suspects)
    return Flagged(near_duplicate=tuple(near), mislabelled=tuple(wrong))


def _filled(records: Records) -> Iterator[Record]:
    return (record for record in records if record.faces)


def _people(record: Record, numbers: dict[str, int]) -> People:
    return np.array([numbers[face.origin.person] for face in record.faces], np.int64)


def _near_duplicates(record: Record, embeddings: Embeddings, people: People) -> Iterator[NearDuplicate]:
    for pair in near_duplicates(embeddings, people):
        face, original = record.faces[pair.row], record.faces[pair.original]
        yield NearDuplicate(
            key=face.key, file=face.origin.file, of=original.origin.file, sq_l2=round(pair.sq_l2, DIGITS)
        )


def _mislabelled(record: Record, suspect: Suspect, nearer_to: str) -> Mislabelled:
    face = record.faces[suspect.row]
    return Mislabelled(
        key=face.key,
        file=face.origin.file,
        nearer_to=nearer_to,
        own_sq_l2=round(suspect.own_sq_l2, DIGITS),
        other_sq_l2=round(suspect.other_sq_l2, DIGITS),
    )
