"""How long a collection keeps its faces, when the file was last rewritten, and the last line of the audit log."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Keep all faces, as before."""
    op.add_column("collections", sa.Column("expires_after_days", sa.Integer))
    op.create_index("faces_by_age", "faces", ["collection", "created_at"])
    op.add_column("storage", sa.Column("rewritten_at", sa.DateTime))
    op.create_table(
        "audit_heads",
        sa.Column("sequence", sa.Integer, primary_key=True),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("noted_at", sa.DateTime, nullable=False),
    )
