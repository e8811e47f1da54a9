"""The table `storage` and the application id: which gallery this is, and whether its file is complete."""

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

APPLICATION_ID = 0x46414345


def upgrade() -> None:
    """Give the gallery an id. A gallery of an older version is rewritten once: see `sqlite.rewrite`."""
    storage = op.create_table(
        "storage",
        sa.Column("gallery", sa.String, primary_key=True),
        sa.Column("in_use", sa.Boolean, nullable=False),
        sa.Column("needs_rewrite", sa.Boolean, nullable=False),
    )
    has_content = op.get_bind().execute(sa.text("SELECT EXISTS (SELECT 1 FROM collections)")).scalar_one()
    row = {"gallery": uuid.uuid4().hex, "in_use": False, "needs_rewrite": bool(has_content)}
    op.bulk_insert(storage, [row])
    if op.get_bind().dialect.name == "sqlite":
        op.execute(f"PRAGMA application_id={APPLICATION_ID}")
