"""Statements about subjects. `collection` is the key of theirs."""

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, insert, select, update

from service.errors import SubjectExists, SubjectNotFound
from service.galleries.base import NewSubject, Page, Subject, SubjectChanges
from service.galleries.records.paging import Span, page
from service.galleries.records.schema import FACES, SUBJECTS


def create(connection: Connection, collection: int, new: NewSubject) -> Subject:
    """Raises SubjectExists."""
    subject = Subject(new.id or uuid.uuid4().hex, new.name, new.metadata or {}, 0, datetime.now(UTC))
    if _key(connection, collection, subject.id) is not None:
        raise SubjectExists
    connection.execute(
        insert(SUBJECTS).values(
            collection=collection,
            id=subject.id,
            name=subject.name,
            metadata=subject.metadata,
            created_at=subject.created_at,
        )
    )
    return subject


def put(connection: Connection, collection: int, subject: str, fields: SubjectChanges) -> tuple[Subject, bool]:
    """With these fields whether or not it was there, and whether it is new."""
    if _key(connection, collection, subject) is None:
        return create(connection, collection, NewSubject(subject, **fields)), True
    return change(connection, collection, subject, fields), False


def key(connection: Connection, collection: int, subject: str) -> int:
    """Raises SubjectNotFound."""
    found = _key(connection, collection, subject)
    if found is None:
        raise SubjectNotFound
    return found


def get(connection: Connection, collection: int, subject: str) -> Subject:
    """Raises SubjectNotFound."""
    row = connection.execute(_subjects(collection).where(SUBJECTS.c.id == subject)).one_or_none()
    if row is None:
        raise SubjectNotFound
    return _subject(row)


def listed(connection: Connection, collection: int, span: Span) -> Page[Subject]:
    """All of the collection, in parts."""
    return page(connection, _subjects(collection), SUBJECTS.c.id, span, _subject)


def change(connection: Connection, collection: int, subject: str, changes: SubjectChanges) -> Subject:
    """What is absent in the changes stays as it is. Raises SubjectNotFound."""
    if changes:
        connection.execute(
            update(SUBJECTS).where(SUBJECTS.c.collection == collection, SUBJECTS.c.id == subject).values(dict(changes))
        )
    return get(connection, collection, subject)


def remove(connection: Connection, collection: int, subject: str) -> list[int]:
    """With their faces, whose numbers are returned. Raises SubjectNotFound."""
    owner = key(connection, collection, subject)
    theirs = select(FACES.c.number).where(FACES.c.collection == collection, FACES.c.subject == owner)
    numbers = list(connection.scalars(theirs))
    connection.execute(delete(SUBJECTS).where(SUBJECTS.c.key == owner))
    return numbers


def _key(connection: Connection, collection: int, subject: str) -> int | None:
    return connection.scalar(
        select(SUBJECTS.c.key).where(SUBJECTS.c.collection == collection, SUBJECTS.c.id == subject)
    )


def _subjects(collection: int) -> Select[Any]:
    faces = select(func.count()).where(FACES.c.collection == collection, FACES.c.subject == SUBJECTS.c.key)
    return select(
        SUBJECTS.c.id,
        SUBJECTS.c.name,
        SUBJECTS.c.metadata,
        faces.scalar_subquery().label("faces"),
        SUBJECTS.c.created_at,
    ).where(SUBJECTS.c.collection == collection)


def _subject(row: Row[Any]) -> Subject:
    return Subject(**row._asdict())
