"""The data key of a collection, and the id of the key of the operator: is the gallery encrypted, and with which key."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Start without encryption. A start with a key then encrypts the gallery."""
    op.add_column("collections", sa.Column("data_key", sa.LargeBinary))
    op.add_column("storage", sa.Column("encryption_key", sa.String))
