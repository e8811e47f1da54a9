"""Bring an empty database, or one of an older version of the service, to the tables of this version (Alembic)."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from service.domain.command_errors import DataDirectoryUnusable

MIGRATIONS = Path(__file__).with_name("migrations")


def migrate(connection: Connection, elsewhere: str = "FACE_DATA_DIR to another directory") -> None:
    """Run the missing migrations in the transaction of the connection: all of them, or none.

    elsewhere: which setting leads to another database.
    Raises DataDirectoryUnusable if a newer version of the service wrote the database.
    """
    require_known(connection, elsewhere)
    if revision_of(connection) != known_revisions()[-1]:
        _upgrade(connection)


def require_known(connection: Connection, elsewhere: str = "FACE_DATA_DIR to another directory") -> None:
    """Raise DataDirectoryUnusable if a newer version of the service wrote the database."""
    revision = revision_of(connection)
    if revision is not None and revision not in known_revisions():
        raise DataDirectoryUnusable(
            f"The gallery was written by a newer version of this service (its revision is {revision}), or the tables "
            f"are those of another program. Start that version, or set {elsewhere}."
        )


def revision_of(connection: Connection) -> str | None:
    """Return the last migration of the database. None if it has no tables."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def known_revisions() -> list[str]:
    """Return the migrations of this version, the oldest first. It does not have those of newer versions.

    The name of a file in versions/ begins with its revision.
    """
    return sorted(file.stem.partition("_")[0] for file in MIGRATIONS.glob("versions/[0-9]*.py"))


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


def _upgrade(connection: Connection) -> None:
    # The import takes a third of a second, and most starts have no migration to run.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
