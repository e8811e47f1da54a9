"""Statements about the database itself: which gallery it is, and what has to be done before its file can be trusted."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, delete, func, insert, select, update

from service.domain.errors import StorageLost
from service.gallery.records.migrate import revision_of
from service.gallery.records.schema import AUDIT_HEADS, COLLECTIONS, FACES, RESTORES, STORAGE, SUBJECTS
from service.gallery.records.statements.encryption import operator_key_id

_ONE_ROW_OF_EACH = [select(table).limit(1) for table in (STORAGE, COLLECTIONS, SUBJECTS, FACES)]
_SET_NEEDS_REWRITE = update(STORAGE).values(needs_rewrite=True)
_NEXT_VERSION = update(STORAGE).values(settings_version=STORAGE.c.settings_version + 1)
_VERSION = select(STORAGE.c.settings_version)


@dataclass(frozen=True, slots=True)
class StoredGallery:
    """What a database holds.

    gallery: its id.
    revision: its last migration.
    models: the ids of the models of its faces.
    encryption_key: the id of the key that it is encrypted with. None if it is plain.
    """

    gallery: str
    revision: str
    models: tuple[str, ...]
    collections: int
    subjects: int
    faces: int
    encryption_key: str | None


def gallery_id(connection: Connection) -> str:
    """Return the id of the gallery. The data directory has the same id in its mark."""
    found: str = connection.execute(select(STORAGE.c.gallery)).scalar_one()
    return found


def require_readable(connection: Connection) -> None:
    """Read a row of each table of the gallery. Raises StorageLost if it is damaged."""
    for statement in _ONE_ROW_OF_EACH:
        connection.execute(statement).all()


def is_in_use(connection: Connection) -> bool:
    """Return whether a service uses the file, or was killed while it did. Then the file needs its journal."""
    found: bool = connection.execute(select(STORAGE.c.in_use)).scalar_one()
    return found


def set_in_use(connection: Connection) -> None:
    """Note that the file needs its journal from now on."""
    connection.execute(update(STORAGE).values(in_use=True))


def needs_rewrite(connection: Connection) -> bool:
    """Return whether something was deleted since the file was last rewritten."""
    found: bool = connection.execute(select(STORAGE.c.needs_rewrite)).scalar_one()
    return found


def set_needs_rewrite(connection: Connection) -> None:
    """Note that something was deleted, in a file of SQLite.

    In PostgreSQL, all deletions would wait for each other at this row. Its start removes deleted rows in any case.
    """
    if connection.dialect.name == "sqlite":
        connection.execute(_SET_NEEDS_REWRITE)


def note_changed_settings(connection: Connection) -> None:
    """Note that a collection, a calibration or an access key is changed, so that other replicas read it again.

    It comes first in its transaction. In PostgreSQL, such transactions then wait for each other here.
    """
    connection.execute(_NEXT_VERSION)


def settings_version(connection: Connection) -> int:
    """Return a number that grows with each change of a setting."""
    found: int = connection.execute(_VERSION).scalar_one()
    return found


def replica_setup(connection: Connection) -> tuple[str | None, str | None]:
    """Return the id of the model of the replicas, and how they search. None if there was no replica yet."""
    row = connection.execute(select(STORAGE.c.model_id, STORAGE.c.search)).one()
    return row.model_id, row.search


def set_replica_setup(connection: Connection, model: str, search: str) -> None:
    """Note the id of the model of the first replica, and how it searches."""
    connection.execute(update(STORAGE).values(model_id=model, search=search))


SET_REWRITTEN = "UPDATE storage SET needs_rewrite = 0, rewritten_at = ?"
SET_NOT_IN_USE = "UPDATE storage SET in_use = 0"
SET_COMPLETE = "UPDATE storage SET in_use = 0, needs_rewrite = 0"
"""For connections without SQLAlchemy. rewritten_at: as `time_now` writes it."""


@dataclass(frozen=True, slots=True)
class Remains:
    """Whether the file can hold bytes of deleted content, and when its last rewrite began. None: never."""

    needs_rewrite: bool
    rewritten_at: datetime | None


def remains(connection: Connection) -> Remains:
    """Return what is left of deleted content."""
    row = connection.execute(select(STORAGE.c.needs_rewrite, STORAGE.c.rewritten_at)).one()
    return Remains(row.needs_rewrite, row.rewritten_at)


def time_now() -> str:
    """Return the time of now as a column of SQLite has it."""
    return datetime.now(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


def describe(connection: Connection) -> StoredGallery:
    """Return what the database holds. Raises StorageLost if it was never migrated."""
    revision = revision_of(connection)
    if revision is None:
        raise StorageLost("the database has no tables")
    models = select(COLLECTIONS.c.model_id).where(COLLECTIONS.c.model_id.is_not(None)).distinct().order_by("model_id")
    collections, subjects, faces = (
        connection.execute(select(func.count()).select_from(table)).scalar_one()
        for table in (COLLECTIONS, SUBJECTS, FACES)
    )
    gallery, key = gallery_id(connection), operator_key_id(connection)
    return StoredGallery(gallery, revision, tuple(connection.scalars(models)), collections, subjects, faces, key)


def note_audit_head(connection: Connection, sequence: int, digest: bytes) -> None:
    """Note the last durable line of the audit log. digest: its hash, 32 bytes.

    If the log ends before this line one day, its end was cut off.
    """
    connection.execute(delete(AUDIT_HEADS))
    connection.execute(insert(AUDIT_HEADS).values(sequence=sequence, hash=digest, noted_at=datetime.now(UTC)))


def noted_audit_head(connection: Connection) -> tuple[int, bytes] | None:
    """Return the number and the hash of the line that was noted last. None if none was."""
    row = connection.execute(select(AUDIT_HEADS.c.sequence, AUDIT_HEADS.c.hash)).one_or_none()
    return None if row is None else (row.sequence, row.hash)


CLEAR_AUDIT_HEAD = "DELETE FROM audit_heads"
"""For a copy: the log is not part of it."""
NOTE_COPY = "INSERT INTO restores (copied_at) VALUES (?)"
"""For a copy: when it was begun, as `time_now` writes it."""


@dataclass(frozen=True, slots=True)
class Restore:
    """The database was restored from a backup. What was deleted between these times is in it again.

    copied_at: when the backup was begun. opened_at: when a service first opened it. None: not yet.
    """

    copied_at: datetime
    opened_at: datetime | None

    def brings_back(self, deleted_at: datetime) -> bool:
        """Return whether it has what was deleted at this time."""
        return self.copied_at <= deleted_at and (self.opened_at is None or deleted_at <= self.opened_at)


def note_opened_copy(connection: Connection) -> None:
    """Note that a service opens this database now, if it is a backup that was not opened yet."""
    not_opened = update(RESTORES).where(RESTORES.c.opened_at.is_(None))
    connection.execute(not_opened.values(opened_at=datetime.now(UTC)))


def restores(connection: Connection) -> tuple[Restore, ...]:
    """Return each time that the database was restored from a backup, the oldest first."""
    rows = connection.execute(select(RESTORES.c.copied_at, RESTORES.c.opened_at).order_by(RESTORES.c.copied_at))
    return tuple(Restore(row.copied_at, row.opened_at) for row in rows)
