"""Statements about subjects. `collection` is the key of the collection. Its cipher writes and reads what is stored."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, delete, func, select, update

from service.domain.errors import SubjectExists, SubjectNotFound
from service.gallery.base import Page, Subject, SubjectChanges, SubjectToCreate
from service.gallery.records.encryption.ciphers import RecordCipher
from service.gallery.records.schema import FACES, SUBJECTS
from service.gallery.records.statements.encryption import cipher
from service.gallery.records.statements.rows.insertion import insert_rows, one_of
from service.gallery.records.statements.rows.paging import PageRequest, fetch_page

_KEYS: dict[str, Select[Any]] = {
    dialect: select(SUBJECTS.c.id, SUBJECTS.c.key).where(SUBJECTS.c.collection == bindparam("collection"), is_one)
    for dialect, is_one in one_of(SUBJECTS.c.id, "ids").items()
}
_FACES_OF_SUBJECT = select(FACES.c.number).where(
    FACES.c.collection == bindparam("collection"), FACES.c.subject == bindparam("subject")
)
_DELETE = delete(SUBJECTS).where(SUBJECTS.c.key == bindparam("subject"))
"""These are constants because many requests run them. To build a statement takes longer than SQLite needs to run it."""


def create(connection: Connection, collection: int, new: SubjectToCreate) -> Subject:
    """Create a subject. Raises SubjectExists."""
    subject = Subject(new.id or uuid.uuid4().hex, new.name, new.metadata or {}, 0, datetime.now(UTC))
    if _find_key(connection, collection, subject.id) is not None:
        raise SubjectExists
    insert_rows(connection, SUBJECTS, [new_row(collection, subject, cipher(connection, collection))])
    return subject


def create_all(connection: Connection, collection: int, new: Iterable[SubjectToCreate]) -> dict[str, int]:
    """Create subjects with ids that do not exist yet. Return their keys, by id."""
    to, created_at = cipher(connection, collection), datetime.now(UTC)
    created = [Subject(one.id or uuid.uuid4().hex, one.name, one.metadata or {}, 0, created_at) for one in new]
    insert_rows(connection, SUBJECTS, [new_row(collection, subject, to) for subject in created])
    return find_keys(connection, collection, (subject.id for subject in created))


def find_keys(connection: Connection, collection: int, ids: Iterable[str]) -> dict[str, int]:
    """Return the keys of those of the subjects that exist, by id."""
    to = cipher(connection, collection)
    id_of = {to.write_id("subjects.id", subject): subject for subject in ids}
    rows = connection.execute(_KEYS[connection.dialect.name], {"collection": collection, "ids": list(id_of)})
    return {id_of[stored]: key for stored, key in rows.all()}


def put(connection: Connection, collection: int, subject: str, fields: SubjectChanges) -> tuple[Subject, bool]:
    """Create the subject, or replace its fields. Return whether it is new."""
    if _find_key(connection, collection, subject) is None:
        return create(connection, collection, SubjectToCreate(subject, **fields)), True
    return change(connection, collection, subject, fields), False


def find_key(connection: Connection, collection: int, subject: str, field: str | None = None) -> int:
    """Return the key of the subject. Raises SubjectNotFound, which names the field of the body with the id."""
    key = _find_key(connection, collection, subject)
    if key is None:
        raise SubjectNotFound(field)
    return key


def ids(connection: Connection, collection: int, keys: Sequence[int]) -> list[str]:
    """Return the ids of subjects that exist, in the order of their keys."""
    by = cipher(connection, collection)
    named = select(SUBJECTS.c.id).where(SUBJECTS.c.collection == collection, SUBJECTS.c.key.in_(keys))
    return [by.read_id("subjects.id", stored) for stored in connection.scalars(named.order_by(SUBJECTS.c.key))]


def get(connection: Connection, collection: int, subject: str) -> Subject:
    """Return the subject. Raises SubjectNotFound."""
    by = cipher(connection, collection)
    stored = by.write_id("subjects.id", subject)
    row = connection.execute(_select_subjects(collection).where(SUBJECTS.c.id == stored)).one_or_none()
    if row is None:
        raise SubjectNotFound
    return _subject(row, by)


def list_page(connection: Connection, collection: int, request: PageRequest) -> Page[Subject]:
    """Return a page of the subjects of the collection."""
    by = cipher(connection, collection)
    if request.after is not None:
        request = replace(request, after=by.write_id("subjects.id", request.after))
    return fetch_page(connection, _select_subjects(collection), SUBJECTS.c.id, request, lambda row: _subject(row, by))


def change(connection: Connection, collection: int, subject: str, changes: SubjectChanges) -> Subject:
    """Change the given fields. Raises SubjectNotFound."""
    if changes:
        to = cipher(connection, collection)
        stored = to.write_id("subjects.id", subject)
        values: dict[str, Any] = {}
        if "name" in changes:
            values["name"] = to.write_value("subjects.name", subject, changes["name"])
        if "metadata" in changes:
            values["metadata"] = to.write_value("subjects.metadata", subject, changes["metadata"])
        connection.execute(
            update(SUBJECTS).where(SUBJECTS.c.collection == collection, SUBJECTS.c.id == stored).values(values)
        )
    return get(connection, collection, subject)


def remove(connection: Connection, collection: int, subject: str) -> list[int]:
    """Delete the subject and its faces. Return the numbers of these faces. Raises SubjectNotFound."""
    key = find_key(connection, collection, subject)
    numbers = list(connection.scalars(_FACES_OF_SUBJECT, {"collection": collection, "subject": key}))
    connection.execute(_DELETE, {"subject": key})
    return numbers


def _find_key(connection: Connection, collection: int, subject: str) -> int | None:
    return find_keys(connection, collection, [subject]).get(subject)


def new_row(collection: int, subject: Subject, to: RecordCipher) -> dict[str, Any]:
    """Return the row of a new subject."""
    return {
        "collection": collection,
        "id": to.write_id("subjects.id", subject.id),
        "name": to.write_value("subjects.name", subject.id, subject.name),
        "metadata": to.write_value("subjects.metadata", subject.id, subject.metadata),
        "created_at": subject.created_at,
    }


def _select_subjects(collection: int) -> Select[Any]:
    faces = select(func.count()).where(FACES.c.collection == collection, FACES.c.subject == SUBJECTS.c.key)
    return select(
        SUBJECTS.c.id,
        SUBJECTS.c.name,
        SUBJECTS.c.metadata,
        faces.scalar_subquery().label("faces"),
        SUBJECTS.c.created_at,
    ).where(SUBJECTS.c.collection == collection)


def _subject(row: Row[Any], by: RecordCipher) -> Subject:
    subject = by.read_id("subjects.id", row.id)
    name = by.read_value("subjects.name", subject, row.name)
    metadata = by.read_value("subjects.metadata", subject, row.metadata)
    return Subject(subject, name, metadata, row.faces, row.created_at)
