"""What replicas must know of each other: changed settings and faces, and which model they have."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


FACE_CHANGES = (
    """
    CREATE TABLE face_changes (
        sequence bigserial PRIMARY KEY,
        collection bigint NOT NULL,
        number bigint NOT NULL,
        changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
    )
    """,
    "CREATE INDEX face_changes_of_collection ON face_changes (collection, sequence)",
    "CREATE INDEX face_changes_by_age ON face_changes (changed_at)",
    """
    CREATE FUNCTION note_changed_faces() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO face_changes (collection, number) SELECT collection, number FROM changed;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER faces_inserted AFTER INSERT ON faces REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION note_changed_faces()
    """,
    """
    CREATE TRIGGER faces_updated AFTER UPDATE ON faces REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION note_changed_faces()
    """,
    """
    CREATE TRIGGER faces_deleted AFTER DELETE ON faces REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION note_changed_faces()
    """,
)
"""Each face that was changed, by whichever statement. SQLite has no replicas, and a gallery there has no triggers."""


def upgrade() -> None:
    """Start with the settings and the faces as they are."""
    op.add_column("storage", sa.Column("settings_version", sa.Integer, nullable=False, server_default="0"))
    op.add_column("storage", sa.Column("model_id", sa.String))
    op.add_column("storage", sa.Column("search", sa.String))
    if op.get_bind().dialect.name == "postgresql":
        for statement in FACE_CHANGES:
            op.execute(statement)
