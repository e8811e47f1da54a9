"""Bring an empty database, or one of an older version of the service, to the tables of this version (Alembic)."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from service.domain.command_errors import DataDirectoryUnusable

MIGRATIONS = "service.gallery.records:migrations"


def migrate(connection: Connection) -> None:
    """Run the missing migrations in the transaction of the connection: all of them, or none.

    Raises DataDirectoryUnusable if a newer version of the service wrote the database.
    """
    config = _config()
    config.attributes["connection"] = connection
    revision = revision_of(connection)
    if revision is not None and not is_known(revision):
        raise DataDirectoryUnusable(
            f"The gallery was written by a newer version of this service (its revision is {revision}). "
            "Start that version, or set FACE_DATA_DIR to another directory."
        )
    command.upgrade(config, "head")


def revision_of(connection: Connection) -> str | None:
    """Return the last migration of the database. None if it has no tables."""
    return MigrationContext.configure(connection).get_current_revision()


def is_known(revision: str) -> bool:
    """Return whether this version of the service has the migration. It does not have those of newer versions."""
    return revision in {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def require_same_gallery(database: Path, found: str, expected: str | None) -> None:
    """Raise DataDirectoryUnusable if the database is another gallery. expected: None if it is not known."""
    if expected is not None and found != expected:
        raise DataDirectoryUnusable(
            f"{database} belongs to another gallery than its directory. Put the right file back, or set FACE_DATA_DIR "
            "to another directory. To use this file from now on, delete the file `mark` beside it."
        )


def require_journal(database: Path, *, exists: bool) -> None:
    """Raise DataDirectoryUnusable if the journal of a database that was in use does not exist."""
    if not exists:
        raise DataDirectoryUnusable(
            f"{database} was in use when the service ended or when it was copied, but its journal {database.name}-wal "
            "is missing, and the newest changes with it. Put the journal back, or restore a backup (facenet restore). "
            f"To start without the newest changes, create an empty file {database.name}-wal."
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", MIGRATIONS)
    return config
