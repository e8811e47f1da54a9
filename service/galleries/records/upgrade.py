"""A database of an older version of the service, or an empty one, becomes one of this version (Alembic)."""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from service.errors import DataDirectoryUnusable

MIGRATIONS = "service.galleries:migrations"


def upgrade(connection: Connection) -> None:
    """Within the connection's transaction, so all of it or nothing.

    Raises DataDirectoryUnusable where a newer version of the service wrote the database.
    """
    config = Config()
    config.set_main_option("script_location", MIGRATIONS)
    config.attributes["connection"] = connection
    found = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise DataDirectoryUnusable(
            f"The gallery was written by a newer version of this service (its revision is {found}). "
            "Start that version, or set FACE_DATA_DIR to another directory."
        )
    command.upgrade(config, "head")
