"""Statements about faces and their embeddings. `collection` and `subject` are keys.

The cipher of the collection writes and reads what is stored.
"""

import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, Select, bindparam, delete, func, select, text, update

from service.domain.embedding import UNIT_TOLERANCE, Embeddings
from service.domain.errors import FaceNotFound, StorageLost, SubjectWithoutFaces
from service.gallery.base import (
    EmbeddingModel,
    EnrolledBefore,
    EnrolledFace,
    EnrolledForAnother,
    EnrolledNow,
    EnrolmentOutcome,
    FaceToEnrol,
    Page,
    References,
)
from service.gallery.records.encryption.ciphers import RecordCipher
from service.gallery.records.schema import CROPS, FACES, SUBJECTS
from service.gallery.records.statements.encryption import cipher
from service.gallery.records.statements.rows.insertion import insert_rows, one_of
from service.gallery.records.statements.rows.paging import PageRequest, fetch_page

FLOAT32 = np.dtype("<f4")
RANDOM_ID_BYTES = 10
# These are constants because many requests run them. To build a statement takes longer than SQLite needs to run it.
_PHOTOGRAPHS: dict[str, Select[Any]] = {
    dialect: select(FACES.c.image_sha256, FACES.c.subject, FACES.c.id).where(
        FACES.c.collection == bindparam("collection"), is_one
    )
    for dialect, is_one in one_of(FACES.c.image_sha256, "hashes").items()
}
_LAST_NUMBER = text("SELECT seq FROM sqlite_sequence WHERE name = 'faces'")
_NEXT_NUMBERS = text(
    "SELECT nextval(sequence) FROM generate_series(1, :count), "
    "(SELECT CAST(pg_get_serial_sequence('faces', 'number') AS regclass) AS sequence OFFSET 0) AS found"
)
"""OFFSET keeps PostgreSQL from searching for the sequence again for each number."""

EnrolledPhotograph = tuple[int, str]
"""The key of the subject, and the id of the face."""


@dataclass(frozen=True, slots=True, eq=False)
class StoredFace:
    """A face that was just stored. subject: the key of its subject."""

    number: int
    subject: int
    face: FaceToEnrol


@dataclass(frozen=True, slots=True)
class FaceOwner:
    """The subject of a face. face, subject: ids. key, name: of the subject."""

    face: str
    key: int
    subject: str
    name: str | None


def store(
    connection: Connection,
    collection: int,
    new: Sequence[tuple[int, FaceToEnrol]],
    known: Mapping[str, EnrolledPhotograph],
) -> tuple[list[EnrolmentOutcome], list[StoredFace]]:
    """Store the faces whose photographs are not known, all with one statement.

    new: each face, and the key of its subject.
    known: the enrolled photographs among them, by hash.
    Returns the outcome of each face, and the stored faces in the order of their numbers.
    """
    to, enrolled = cipher(connection, collection), dict(known)
    ids, numbers = _new_ids(len(new)), new_numbers(connection, len(new))
    created_at = datetime.now(UTC)
    outcomes: list[EnrolmentOutcome] = []
    stored: list[StoredFace] = []
    rows: list[dict[str, Any]] = []
    for subject, face in new:
        if face.image_sha256 in enrolled:
            owner, existing_id = enrolled[face.image_sha256]
            outcomes.append(EnrolledBefore(existing_id) if owner == subject else EnrolledForAnother(existing_id))
            continue
        new_id, number = next(ids), next(numbers)
        enrolled[face.image_sha256] = subject, new_id
        keys = {"number": number, "collection": collection, "subject": subject, "id": new_id}
        rows.append({**keys, "created_at": created_at, **encrypted(face, new_id, to)})
        stored.append(StoredFace(number, subject, face))
        outcomes.append(EnrolledNow(new_id))
    insert_rows(connection, FACES, rows)
    return outcomes, stored


def get(connection: Connection, collection: int, face: str) -> EnrolledFace:
    """Return the face. Raises FaceNotFound."""
    row = connection.execute(_select_faces(collection).where(FACES.c.id == face)).one_or_none()
    if row is None:
        raise FaceNotFound
    return _face(row, cipher(connection, collection))


def list_page(connection: Connection, collection: int, subject: int, request: PageRequest) -> Page[EnrolledFace]:
    """Return a page of the faces of the subject."""
    by = cipher(connection, collection)
    of_subject = _select_faces(collection).where(FACES.c.subject == subject)
    return fetch_page(connection, of_subject, FACES.c.id, request, lambda row: _face(row, by))


def list_all(connection: Connection, collection: int) -> list[EnrolledFace]:
    """Return all faces of the collection, in the order of enrolment."""
    by = cipher(connection, collection)
    return [_face(row, by) for row in connection.execute(_select_faces(collection).order_by(FACES.c.number))]


def list_of_subject(connection: Connection, collection: int, subject: int) -> list[EnrolledFace]:
    """Return all faces of the subject, in the order of enrolment."""
    by = cipher(connection, collection)
    statement = _select_faces(collection).where(FACES.c.subject == subject).order_by(FACES.c.number)
    return [_face(row, by) for row in connection.execute(statement)]


def remove(connection: Connection, collection: int, face: str) -> int:
    """Delete the face. Return its number, which is never given again. Raises FaceNotFound."""
    deletion = delete(FACES).where(FACES.c.collection == collection, FACES.c.id == face)
    number: int | None = connection.scalar(deletion.returning(FACES.c.number))
    if number is None:
        raise FaceNotFound
    return number


def move(connection: Connection, collection: int, face: str, subject: int) -> EnrolledFace:
    """Give the face to another subject of the collection, and return it. Raises FaceNotFound.

    The subject has no face of the same photograph: a photograph is enrolled once in a collection.
    """
    connection.execute(
        update(FACES).where(FACES.c.collection == collection, FACES.c.id == face).values(subject=subject)
    )
    return get(connection, collection, face)


def move_all(connection: Connection, collection: int, source: int, target: int) -> list[int]:
    """Give all faces of the subject `source` to the subject `target`. Return their numbers."""
    statement = update(FACES).where(FACES.c.collection == collection, FACES.c.subject == source)
    return list(connection.scalars(statement.values(subject=target).returning(FACES.c.number)))


def embedding_of_face(connection: Connection, collection: int, face: str) -> Embeddings:
    """Return the embedding of the face, (1, d) float32. Raises FaceNotFound."""
    embedding = select(FACES.c.embedding).where(FACES.c.collection == collection, FACES.c.id == face)
    blob = connection.scalar(embedding)
    if blob is None:
        raise FaceNotFound
    return to_matrix(cipher(connection, collection).read_vectors([face], [blob]))


def embeddings_of_subject(connection: Connection, collection: int, subject: int) -> Embeddings:
    """Return the embeddings of the subject, (n, d) float32, in the order of enrolment. Raises SubjectWithoutFaces."""
    columns = select(FACES.c.id, FACES.c.embedding)
    of_subject = columns.where(FACES.c.collection == collection, FACES.c.subject == subject)
    rows = connection.execute(of_subject.order_by(FACES.c.number)).all()
    if not rows:
        raise SubjectWithoutFaces
    ids, blobs = zip(*rows, strict=True)
    return to_matrix(cipher(connection, collection).read_vectors(ids, blobs))


def references(connection: Connection, collection: int, model: EmbeddingModel) -> References:
    """Return all embeddings of a collection that has a face. model: the model that made them."""
    columns = select(FACES.c.number, FACES.c.subject, FACES.c.id, FACES.c.embedding)
    rows = connection.execute(columns.where(FACES.c.collection == collection).order_by(FACES.c.number))
    numbers, subjects, ids, blobs = zip(*rows, strict=True)
    embeddings = to_matrix(cipher(connection, collection).read_vectors(ids, blobs))
    return References(model, np.array(numbers, np.int64), np.array(subjects, np.int64), embeddings)


def first_of_subjects(
    connection: Connection, collection: int, subjects: Sequence[int], count: int
) -> tuple[NDArray[np.int64], Embeddings]:
    """Return the first faces of each of these subjects, at most `count`: the keys of their subjects, and embeddings.

    subjects: their keys, at most 32,766 (the limit of SQLite). At least one of them has a face.
    """
    place = func.row_number().over(partition_by=FACES.c.subject, order_by=FACES.c.number).label("place")
    columns = select(FACES.c.subject, FACES.c.number, FACES.c.id, FACES.c.embedding, place)
    numbered = columns.where(FACES.c.collection == collection, FACES.c.subject.in_(subjects)).subquery()
    first = select(numbered.c.subject, numbered.c.id, numbered.c.embedding).where(numbered.c.place <= count)
    rows = connection.execute(first.order_by(numbered.c.subject, numbered.c.number))
    owners, ids, blobs = zip(*rows, strict=True)
    return np.array(owners, np.int64), to_matrix(cipher(connection, collection).read_vectors(ids, blobs))


def owner(face: str, key: int, subject_id: str, name: str | None, by: RecordCipher) -> FaceOwner:
    """Return the owner of a face, whose id and name are as they are stored. key: of the subject."""
    subject = by.read_id("subjects.id", subject_id)
    return FaceOwner(face, key, subject, by.read_value("subjects.name", subject, name))


def find_photographs(connection: Connection, collection: int, hashes: Iterable[str]) -> dict[str, EnrolledPhotograph]:
    """Return the enrolled photographs among these, by hash."""
    to = cipher(connection, collection)
    hash_of = {to.write_id("faces.image_sha256", image_sha256): image_sha256 for image_sha256 in hashes}
    statement = _PHOTOGRAPHS[connection.dialect.name]
    rows = connection.execute(statement, {"collection": collection, "hashes": list(hash_of)})
    return {hash_of[stored]: (subject, face) for stored, subject, face in rows.all()}


def _new_ids(count: int) -> Iterator[str]:
    """Return ids of 32 hexadecimal digits: the milliseconds since 1970 in 12 digits, then 80 random bits.

    They have the order of a UUID of version 7 (RFC 9562). So the ids of new faces are neighbours in the index of the
    table. With random ids, each new face would change another page of it.
    """
    now, digits = f"{time.time_ns() // 1_000_000:012x}", secrets.token_hex(RANDOM_ID_BYTES * count)
    return (now + digits[start : start + 2 * RANDOM_ID_BYTES] for start in range(0, len(digits), 2 * RANDOM_ID_BYTES))


def new_numbers(connection: Connection, count: int) -> Iterator[int]:
    """Return numbers that no face has ever had, ascending. Some may stay unused.

    In SQLite, no other transaction can store a face before this one ends.
    """
    if connection.dialect.name == "sqlite":
        last = connection.scalar(_LAST_NUMBER) or 0
        return iter(range(last + 1, last + 1 + count))
    return iter(connection.scalars(_NEXT_NUMBERS, {"count": count}).all())


def encrypted(face: FaceToEnrol, new_id: str, to: RecordCipher) -> dict[str, Any]:
    """Return the columns of a face that are encrypted in an encrypted gallery. new_id: of the face."""
    return {
        "image_sha256": to.write_id("faces.image_sha256", face.image_sha256),
        "embedding": to.write_vector(new_id, face.embedding.astype(FLOAT32, copy=False).tobytes()),
    }


def _select_faces(collection: int) -> Select[Any]:
    columns = FACES.c.number, FACES.c.id, SUBJECTS.c.id.label("subject"), FACES.c.image_sha256, FACES.c.created_at
    has_crop = CROPS.c.face.is_not(None).label("has_crop")
    joined = select(*columns, has_crop).join_from(FACES, SUBJECTS).outerjoin(CROPS, CROPS.c.face == FACES.c.id)
    return joined.where(FACES.c.collection == collection)


def _face(row: Row[Any], by: RecordCipher) -> EnrolledFace:
    subject = by.read_id("subjects.id", row.subject)
    image_sha256 = by.read_id("faces.image_sha256", row.image_sha256)
    return EnrolledFace(row.number, row.id, subject, image_sha256, row.created_at, bool(row.has_crop))


def to_matrix(blobs: Sequence[bytes]) -> Embeddings:
    """Return stored embeddings, (n, d) float32. Raises StorageLost if one is not a unit vector, as all were."""
    (length_bytes, *others) = {len(blob) for blob in blobs}
    if others or length_bytes % FLOAT32.itemsize:
        raise StorageLost("a stored embedding is damaged")
    embeddings: Embeddings = np.frombuffer(b"".join(blobs), FLOAT32).reshape(len(blobs), -1)
    with np.errstate(over="ignore", invalid="ignore"):
        squared_lengths = np.einsum("ij,ij->i", embeddings, embeddings)
    if not np.all(np.abs(squared_lengths - 1) <= 2 * UNIT_TOLERANCE):  # `<=` is false for NaN too
        raise StorageLost("a stored embedding is damaged")
    return embeddings
