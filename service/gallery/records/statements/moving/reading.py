"""Statements that read a whole collection, page by page. `collection` is a key, if nothing else is said."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select

from service.domain.errors import CalibrationNotFound
from service.gallery.base import Subject
from service.gallery.records.schema import FACES, SUBJECTS
from service.gallery.records.statements import collections, faces
from service.gallery.records.statements.encryption import cipher
from service.gallery.records.statements.moving.values import CollectionFields, MovedFace
from service.gallery.records.statements.rules import calibration

_FACES_AFTER: Select[Any] = (
    select(
        FACES.c.number,
        FACES.c.subject,
        FACES.c.id,
        SUBJECTS.c.id.label("subject_id"),
        FACES.c.image_sha256,
        FACES.c.created_at,
        FACES.c.embedding,
    )
    .join_from(FACES, SUBJECTS)
    .where(
        FACES.c.collection + 0 == bindparam("collection"),
        FACES.c.number > bindparam("after"),
        FACES.c.number <= bindparam("last"),
    )
    .order_by(FACES.c.number)
    .limit(bindparam("count"))
)
"""The sum keeps the database from sorting all faces of the collection for each page: it reads them by their number."""


@dataclass(frozen=True, slots=True)
class CollectionToRead:
    """A collection that is to be read. last_number: no face has a higher number now."""

    key: int
    fields: CollectionFields
    subjects: int
    faces: int
    last_number: int


@dataclass(frozen=True, slots=True, eq=False)
class ReadFace:
    """A face that was read. number: where the next page starts. subject_key: in the records."""

    number: int
    subject_key: int
    face: MovedFace


def open_collection(connection: Connection, collection: str) -> CollectionToRead:
    """Return what is needed to read a collection. collection: the id. Raises CollectionNotFound."""
    row, found = collections.find(connection, collection), collections.get(connection, collection)
    try:
        own = calibration.get(connection, row.key)
    except CalibrationNotFound:
        own = None
    last: int | None = connection.scalar(select(func.max(FACES.c.number)).where(FACES.c.collection == row.key))
    fields = CollectionFields(row.model, found.created_at, found.expires_after_days, found.calibration, own)
    return CollectionToRead(row.key, fields, found.subjects, found.faces, last or 0)


def subjects_after(connection: Connection, collection: int, after: int, count: int) -> list[tuple[int, Subject]]:
    """Return the next subjects in the order of their keys, each with its key. after: the last key so far."""
    return _subjects(connection, collection, SUBJECTS.c.key > after, count)


def subjects_with_keys(connection: Connection, collection: int, keys: Sequence[int]) -> list[tuple[int, Subject]]:
    """Return these subjects in the order of their keys, each with its key."""
    return _subjects(connection, collection, SUBJECTS.c.key.in_(keys), len(keys))


def faces_after(connection: Connection, read: CollectionToRead, after: int, count: int) -> list[ReadFace]:
    """Return the next faces in the order of their numbers. after: the last number of the page before."""
    page = {"collection": read.key, "after": after, "last": read.last_number, "count": count}
    rows = connection.execute(_FACES_AFTER, page).all()
    if not rows:
        return []
    by = cipher(connection, read.key)
    embeddings = faces.to_matrix(by.read_vectors([row.id for row in rows], [row.embedding for row in rows]))
    return [
        ReadFace(
            row.number,
            row.subject,
            MovedFace(
                row.id,
                by.read_id("subjects.id", row.subject_id),
                by.read_id("faces.image_sha256", row.image_sha256),
                row.created_at,
                embedding,
            ),
        )
        for row, embedding in zip(rows, embeddings, strict=True)
    ]


def _subjects(connection: Connection, collection: int, condition: Any, count: int) -> list[tuple[int, Subject]]:  # noqa: ANN401  # of SQLAlchemy
    columns = SUBJECTS.c.key, SUBJECTS.c.id, SUBJECTS.c.name, SUBJECTS.c.metadata, SUBJECTS.c.created_at
    statement = select(*columns).where(SUBJECTS.c.collection + 0 == collection, condition)
    by = cipher(connection, collection)
    found: list[tuple[int, Subject]] = []
    for key, stored, name, metadata, created_at in connection.execute(statement.order_by(SUBJECTS.c.key).limit(count)):
        subject = by.read_id("subjects.id", stored)
        read_name = by.read_value("subjects.name", subject, name)
        read_metadata = by.read_value("subjects.metadata", subject, metadata)
        found.append((key, Subject(subject, read_name, read_metadata, 0, created_at)))
    return found
