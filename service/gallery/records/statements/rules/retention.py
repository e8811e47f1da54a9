"""Statements about what a collection keeps no longer. `key` is the key of a collection."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, delete, exists, func, select, update

from service.gallery.records.schema import COLLECTIONS, FACES, SUBJECTS
from service.gallery.records.statements.collections import unbind_model_if_empty
from service.gallery.records.statements.encryption import cipher
from service.gallery.records.statements.indexed_faces import vectors

MAX_FACES = 500
"""How many faces are deleted in one transaction. Other changes can be made between two."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How long a collection keeps faces. oldest_face: when the oldest face was enrolled. None without faces."""

    keeps: timedelta
    oldest_face: datetime | None


@dataclass(frozen=True, slots=True)
class Removed:
    """What was deleted because of its age.

    numbers: of the faces.
    subjects: the ids of all subjects that it is about.
    deleted_subjects: how many of them were deleted.
    """

    numbers: list[int]
    subjects: list[str]
    deleted_subjects: int


def rules(connection: Connection) -> dict[str, Rule]:
    """Return the rule of each complete collection that has one, by its id."""
    oldest = select(func.min(FACES.c.created_at)).where(FACES.c.collection == COLLECTIONS.c.key).scalar_subquery()
    columns = select(COLLECTIONS.c.id, COLLECTIONS.c.expires_after_days, oldest)
    keeps_for_days = COLLECTIONS.c.expires_after_days.is_not(None), COLLECTIONS.c.unfinished_import.is_(None)
    rows = connection.execute(columns.where(*keeps_for_days))
    return {collection: Rule(timedelta(days=days), oldest_face) for collection, days, oldest_face in rows}


def set_expiry(connection: Connection, key: int, days: int | None) -> None:
    """Set how long the collection keeps faces. None: for ever."""
    connection.execute(update(COLLECTIONS).where(COLLECTIONS.c.key == key).values(expires_after_days=days))


def remove_older(connection: Connection, key: int, before: datetime) -> Removed:
    """Delete at most MAX_FACES faces that were enrolled before this time.

    When there are none left, delete the subjects without faces that were created before it.
    """
    old = select(FACES.c.number, FACES.c.subject).where(FACES.c.collection == key, FACES.c.created_at <= before)
    rows = connection.execute(old.order_by(FACES.c.created_at).limit(MAX_FACES)).all()
    if rows:
        numbers = [row.number for row in rows]
        subjects = _ids(connection, key, {row.subject for row in rows})
        connection.execute(delete(FACES).where(FACES.c.number.in_(numbers)))
        vectors(connection).remove(connection, key, numbers)
        unbind_model_if_empty(connection, key)
        return Removed(numbers, subjects, 0)
    deletion = delete(SUBJECTS).where(_is_old_without_faces(key, before)).returning(SUBJECTS.c.id)
    by = cipher(connection, key)
    subjects = [by.read_id("subjects.id", stored) for stored in connection.scalars(deletion)]
    return Removed([], subjects, len(subjects))


def has_older(connection: Connection, key: int, before: datetime) -> bool:
    """Return whether `remove_older` would delete anything."""
    old_face = exists().where(FACES.c.collection == key, FACES.c.created_at <= before)
    old_subject = exists().where(_is_old_without_faces(key, before))
    return bool(connection.scalar(select(old_face | old_subject)))


def _is_old_without_faces(key: int, before: datetime) -> ColumnElement[bool]:
    no_face = ~exists().where(FACES.c.collection == SUBJECTS.c.collection, FACES.c.subject == SUBJECTS.c.key)
    return (SUBJECTS.c.collection == key) & (SUBJECTS.c.created_at <= before) & no_face


def _ids(connection: Connection, key: int, subjects: Iterable[int]) -> list[str]:
    by = cipher(connection, key)
    stored = connection.scalars(select(SUBJECTS.c.id).where(SUBJECTS.c.key.in_(list(subjects))))
    return sorted(by.read_id("subjects.id", one) for one in stored)
