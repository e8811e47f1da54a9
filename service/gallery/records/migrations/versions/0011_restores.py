"""When a database was restored from a backup: what was deleted after the backup is there again."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table. Restores before this version are not known."""
    op.create_table(
        "restores",
        sa.Column("copied_at", sa.DateTime, primary_key=True),
        sa.Column("opened_at", sa.DateTime),
    )
