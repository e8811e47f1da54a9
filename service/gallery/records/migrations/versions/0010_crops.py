"""The crops that are kept of enrolled faces, and their embeddings by another model."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ID = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Create the tables. They stay empty if no crops are kept."""
    op.add_column("collections", sa.Column("other_model_id", sa.String))
    op.create_table(
        "crops",
        sa.Column("face", ID, sa.ForeignKey("faces.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("crop", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "other_embeddings",
        sa.Column("face", ID, sa.ForeignKey("faces.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("model_id", sa.String, primary_key=True),
        sa.Column("embedding", sa.LargeBinary),
    )
