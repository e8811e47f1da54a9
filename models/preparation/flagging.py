"""Flag the faces of all shards that are near duplicates or may have a wrong label, by their embeddings."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from models.preparation.report import FlaggedFaces, Mislabelled, NearDuplicate
from models.preparation.shard_records import ShardRecord, ShardRecords, read_embeddings
from models.preparation.suspicious_faces import MislabelledRow, People, PersonMeans, find_near_duplicates
from service.domain.embedding import Embeddings

REPORT_DIGITS = 4
"""The decimal places of the distances in the report."""


def flag_faces(out: Path, records: ShardRecords, dimension: int) -> FlaggedFaces:
    """Find near duplicates and wrong labels. It reads the embeddings twice, one shard at a time.

    out: the folder of the face set.
    dimension: of the embeddings.
    """
    names = sorted({face.origin.person for record in records for face in record.faces})
    numbers = {name: number for number, name in enumerate(names)}
    means = PersonMeans(len(names), dimension)
    near_duplicates: list[NearDuplicate] = []
    mislabelled: list[Mislabelled] = []
    for record in _records_with_faces(records):
        embeddings, people = read_embeddings(out, record), _people(record, numbers)
        means.add(embeddings, people)
        near_duplicates += _near_duplicates(record, embeddings, people)
    for record in _records_with_faces(records):
        rows = means.find_mislabelled(read_embeddings(out, record), _people(record, numbers))
        mislabelled += (_mislabelled(record, row, names[row.nearer_to]) for row in rows)
    return FlaggedFaces(near_duplicate=tuple(near_duplicates), mislabelled=tuple(mislabelled))


def _records_with_faces(records: ShardRecords) -> Iterator[ShardRecord]:
    return (record for record in records if record.faces)


def _people(record: ShardRecord, numbers: dict[str, int]) -> People:
    return np.array([numbers[face.origin.person] for face in record.faces], np.int64)


def _near_duplicates(record: ShardRecord, embeddings: Embeddings, people: People) -> Iterator[NearDuplicate]:
    for duplicate in find_near_duplicates(embeddings, people):
        face, original = record.faces[duplicate.row], record.faces[duplicate.original]
        yield NearDuplicate(
            key=face.key,
            file=face.origin.file,
            of=original.origin.file,
            sq_l2=round(duplicate.sq_l2, REPORT_DIGITS),
        )


def _mislabelled(record: ShardRecord, row: MislabelledRow, nearer_to: str) -> Mislabelled:
    face = record.faces[row.row]
    return Mislabelled(
        key=face.key,
        file=face.origin.file,
        nearer_to=nearer_to,
        own_sq_l2=round(row.own_sq_l2, REPORT_DIGITS),
        other_sq_l2=round(row.other_sq_l2, REPORT_DIGITS),
    )
