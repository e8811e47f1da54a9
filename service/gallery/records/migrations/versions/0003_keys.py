"""The table `keys`: who may call the service."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Start without keys."""
    op.create_table(
        "keys",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("label", sa.String().with_variant(sa.String(collation="C"), "postgresql")),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("secret_id", sa.String, nullable=False),
        sa.Column("seal", sa.LargeBinary, nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("collections", sa.JSON),
        sa.Column("requests_per_minute", sa.Integer),
        sa.Column("images_per_day", sa.Integer),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("expires_at", sa.DateTime),
        sa.Column("revoked_at", sa.DateTime),
        sa.Column("replaced_by", sa.String),
        sa.Column("last_used_at", sa.DateTime),
        sa.Column("images_day", sa.String),
        sa.Column("images_used", sa.Integer, nullable=False),
    )
