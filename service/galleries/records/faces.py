"""Statements about faces and their vectors. `collection` and `subject` are keys."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, Select, delete, insert, select

from service.domain import Embeddings
from service.errors import FaceNotFound, SubjectWithoutFaces
from service.galleries.base import Elsewhere, Enrolled, EnrolledFace, Enrolment, Known, ModelRef, NewFace, Page
from service.galleries.records.paging import Span, page
from service.galleries.records.schema import FACES, SUBJECTS
from service.galleries.shelf import References

FLOAT32 = np.dtype("<f4")
NUMBERS_AT_ONCE = 1_000
"""SQLite takes 32,766 parameters in a statement."""


@dataclass(frozen=True, slots=True)
class Person:
    """Whose a face is. face, subject: ids."""

    face: str
    subject: str
    name: str | None


def enrol(
    connection: Connection, collection: int, subject: int, new: Sequence[NewFace]
) -> tuple[list[Enrolment], dict[int, NewFace]]:
    """What became of each, and those that were stored, by their numbers, which rise."""
    seen = _seen(connection, collection, {face.image_sha256 for face in new})
    outcomes: list[Enrolment] = []
    stored: dict[int, NewFace] = {}
    for face in new:
        if face.image_sha256 in seen:
            owner, earlier = seen[face.image_sha256]
            outcomes.append(Known(earlier) if owner == subject else Elsewhere(earlier))
        else:
            made = uuid.uuid4().hex
            seen[face.image_sha256] = subject, made
            stored[_store(connection, collection, subject, made, face)] = face
            outcomes.append(Enrolled(made))
    return outcomes, stored


def get(connection: Connection, collection: int, face: str) -> EnrolledFace:
    """Raises FaceNotFound."""
    row = connection.execute(_faces(collection).where(FACES.c.id == face)).one_or_none()
    if row is None:
        raise FaceNotFound
    return _face(row)


def listed(connection: Connection, collection: int, subject: int, span: Span) -> Page[EnrolledFace]:
    """All of the subject, in parts."""
    return page(connection, _faces(collection).where(FACES.c.subject == subject), FACES.c.id, span, _face)


def every(connection: Connection, collection: int) -> list[EnrolledFace]:
    """Of the collection, in the order of enrolment."""
    return [_face(row) for row in connection.execute(_faces(collection).order_by(FACES.c.number))]


def remove(connection: Connection, collection: int, face: str) -> int:
    """Its number, which is never given again. Raises FaceNotFound."""
    gone = delete(FACES).where(FACES.c.collection == collection, FACES.c.id == face)
    number: int | None = connection.scalar(gone.returning(FACES.c.number))
    if number is None:
        raise FaceNotFound
    return number


def vector_of(connection: Connection, collection: int, face: str) -> Embeddings:
    """(1, d) float32. Raises FaceNotFound."""
    stored = select(FACES.c.embedding).where(FACES.c.collection == collection, FACES.c.id == face)
    blob = connection.scalar(stored)
    if blob is None:
        raise FaceNotFound
    return _matrix([blob])


def vectors_of(connection: Connection, collection: int, subject: int) -> Embeddings:
    """(n, d) float32, in the order of enrolment. Raises SubjectWithoutFaces."""
    stored = select(FACES.c.embedding).where(FACES.c.collection == collection, FACES.c.subject == subject)
    blobs = connection.scalars(stored.order_by(FACES.c.number)).all()
    if not blobs:
        raise SubjectWithoutFaces
    return _matrix(blobs)


def references(connection: Connection, collection: int, model: ModelRef) -> References:
    """What an index of the collection is made of. model: what it is bound to."""
    columns = select(FACES.c.number, FACES.c.subject, FACES.c.embedding)
    rows = connection.execute(columns.where(FACES.c.collection == collection).order_by(FACES.c.number))
    numbers, subjects, blobs = zip(*rows, strict=True)
    return References(model, np.array(numbers, np.int64), np.array(subjects, np.int64), _matrix(blobs))


def people(connection: Connection, numbers: Iterable[int]) -> dict[int, Person]:
    """By the faces' numbers; those that are gone are left out."""
    wanted = sorted(numbers)
    columns = FACES.c.number, FACES.c.id, SUBJECTS.c.id, SUBJECTS.c.name
    whose = select(*columns).join_from(FACES, SUBJECTS)
    found: dict[int, Person] = {}
    for start in range(0, len(wanted), NUMBERS_AT_ONCE):
        part = whose.where(FACES.c.number.in_(wanted[start : start + NUMBERS_AT_ONCE]))
        found |= {number: Person(face, subject, name) for number, face, subject, name in connection.execute(part)}
    return found


def _seen(connection: Connection, collection: int, hashes: set[str]) -> dict[str, tuple[int, str]]:
    """By the photograph's hash: the key of the subject that it is enrolled for, and the face's id."""
    enrolled = select(FACES.c.image_sha256, FACES.c.subject, FACES.c.id).where(FACES.c.collection == collection)
    rows = connection.execute(enrolled.where(FACES.c.image_sha256.in_(hashes)))
    return {row.image_sha256: (row.subject, row.id) for row in rows}


def _store(connection: Connection, collection: int, subject: int, made: str, face: NewFace) -> int:
    row = insert(FACES).values(
        collection=collection,
        subject=subject,
        id=made,
        image_sha256=face.image_sha256,
        embedding=face.embedding.astype(FLOAT32).tobytes(),
        created_at=datetime.now(UTC),
    )
    number: int = connection.execute(row.returning(FACES.c.number)).scalar_one()
    return number


def _faces(collection: int) -> Select[Any]:
    columns = FACES.c.number, FACES.c.id, SUBJECTS.c.id.label("subject"), FACES.c.image_sha256, FACES.c.created_at
    return select(*columns).join_from(FACES, SUBJECTS).where(FACES.c.collection == collection)


def _face(row: Row[Any]) -> EnrolledFace:
    return EnrolledFace(**row._asdict())


def _matrix(blobs: Sequence[bytes]) -> Embeddings:
    numbers: Embeddings = np.frombuffer(b"".join(blobs), FLOAT32)
    return numbers.reshape(len(blobs), -1)
