"""The calibration of a collection: the error rates between its subjects."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Start without one: every collection uses the calibration of the model."""
    op.add_column("collections", sa.Column("calibration", sa.JSON))
    op.add_column("collections", sa.Column("uses_own_calibration", sa.Boolean))
