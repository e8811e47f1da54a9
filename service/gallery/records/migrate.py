"""Bring an empty database, or one of an older version of the service, to the tables of this version (Alembic)."""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from service.domain.errors import DataDirectoryUnusable

MIGRATIONS = "service.gallery.records:migrations"


def migrate(connection: Connection) -> None:
    """Run the missing migrations in the transaction of the connection: all of them, or none.

    Raises DataDirectoryUnusable if a newer version of the service wrote the database.
    """
    config = Config()
    config.set_main_option("script_location", MIGRATIONS)
    config.attributes["connection"] = connection
    revision = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision is not None and revision not in known:
        raise DataDirectoryUnusable(
            f"The gallery was written by a newer version of this service (its revision is {revision}). "
            "Start that version, or set FACE_DATA_DIR to another directory."
        )
    command.upgrade(config, "head")
