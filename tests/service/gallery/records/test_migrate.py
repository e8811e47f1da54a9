"""Migrations bring a database to the schema of this version. A database of a newer version is refused unchanged."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine

from service.domain.command_errors import DataDirectoryUnusable
from service.gallery.records.schema import METADATA
from service.gallery.records.sqlite.data_directory import DATABASE_FILE, MARK_FILE
from service.gallery.records.sqlite.database import SqliteDatabase
from tests.service.gallery.random_faces import MODEL, make_faces
from tests.support.blocking_gallery import BlockingGallery


def tables(database: Path) -> list[tuple[str, str]]:
    """Return the name and the SQL of each table and index, with single blanks, without the tables of Alembic."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE sql NOT NULL AND name NOT LIKE 'alembic%' ORDER BY name"
        ).fetchall()
    return [(name, " ".join(sql.split())) for name, sql in rows]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    with closing(SqliteDatabase(tmp_path / DATABASE_FILE)) as records:
        records.migrate()
    return tmp_path / DATABASE_FILE


def test_the_revisions_create_the_tables_of_the_schema(database: Path, tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'described'}")
    METADATA.create_all(engine)
    engine.dispose()
    assert tables(database) == tables(tmp_path / "described")


def test_alembic_finds_no_difference_between_the_revisions_and_the_schema(database: Path) -> None:
    engine = create_engine(f"sqlite:///{database}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    engine.dispose()


def test_the_number_of_a_deleted_face_is_not_used_again(database: Path) -> None:
    assert "AUTOINCREMENT" in dict(tables(database))["faces"]


def test_opening_a_database_of_this_version_does_not_change_it(data_dir: Path) -> None:
    gallery = BlockingGallery.open(data_dir, "exact")
    gallery.put_subject("default", "anna", None, {})
    gallery.enrol("default", "anna", make_faces(3), MODEL)
    gallery.close()
    before = (data_dir / DATABASE_FILE).read_bytes()
    BlockingGallery.open(data_dir, "exact").close()
    with closing(sqlite3.connect(data_dir / DATABASE_FILE)) as connection:
        assert connection.execute("SELECT count(*) FROM faces").fetchone() == (3,)
    assert (data_dir / DATABASE_FILE).stat().st_size == len(before)


def test_a_database_of_a_newer_version_is_refused_and_not_changed(data_dir: Path) -> None:
    BlockingGallery.open(data_dir, "exact").close()
    with closing(sqlite3.connect(data_dir / DATABASE_FILE)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num='9999'")
    before = (data_dir / DATABASE_FILE).read_bytes()
    with pytest.raises(
        DataDirectoryUnusable, match=r"newer version .*9999.* Start that version, or set FACE_DATA_DIR"
    ) as raised:
        BlockingGallery.open(data_dir, "exact")
    assert "\n" not in str(raised.value)
    assert (data_dir / DATABASE_FILE).read_bytes() == before


def test_a_failed_revision_does_not_change_the_database(data_dir: Path) -> None:
    """The revision creates `collections`, then `subjects`. Here a table `subjects` already exists."""
    data_dir.mkdir()
    with closing(sqlite3.connect(data_dir / DATABASE_FILE)) as connection:
        connection.execute("CREATE TABLE subjects (something_else)")
    with pytest.raises(DataDirectoryUnusable, match="table subjects already exists"):
        BlockingGallery.open(data_dir, "exact")
    with closing(sqlite3.connect(data_dir / DATABASE_FILE)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("subjects",)]


def make_gallery_of_first_version(data_dir: Path) -> None:
    """Make a gallery with a subject as the first version of the service left it: without a mark, at revision 0001."""
    gallery = BlockingGallery.open(data_dir, "exact")
    gallery.put_subject("default", "anna", "Anna", {})
    gallery.enrol("default", "anna", make_faces(3), MODEL)
    gallery.close()
    (data_dir / MARK_FILE).unlink()
    with closing(sqlite3.connect(data_dir / DATABASE_FILE)) as connection, connection:
        connection.execute("DROP TABLE restores")
        connection.execute("DROP TABLE storage")
        connection.execute("DROP TABLE crops")
        connection.execute("DROP TABLE other_embeddings")
        connection.execute("ALTER TABLE collections DROP COLUMN other_model_id")
        connection.execute("DROP TABLE vector_changes")
        connection.execute("DROP TABLE keys")
        connection.execute("DROP TABLE audit_heads")
        connection.execute("DROP INDEX faces_by_age")
        connection.execute("ALTER TABLE collections DROP COLUMN expires_after_days")
        connection.execute("ALTER TABLE collections DROP COLUMN data_key")
        connection.execute("ALTER TABLE collections DROP COLUMN calibration")
        connection.execute("ALTER TABLE collections DROP COLUMN uses_own_calibration")
        connection.execute("ALTER TABLE collections DROP COLUMN unfinished_import")
        connection.execute("PRAGMA application_id=0")
        connection.execute("UPDATE alembic_version SET version_num='0001'")


def test_a_gallery_of_the_first_version_is_opened_and_gets_a_mark(data_dir: Path) -> None:
    make_gallery_of_first_version(data_dir)
    gallery = BlockingGallery.open(data_dir, "exact")
    assert gallery.get_subject("default", "anna").faces == 3
    gallery.check()
    gallery.close()
    assert (data_dir / MARK_FILE).exists()


def test_a_gallery_of_the_first_version_that_was_killed_is_opened_with_its_journal(
    data_dir: Path, tmp_path: Path
) -> None:
    make_gallery_of_first_version(data_dir)
    with closing(sqlite3.connect(data_dir / DATABASE_FILE)) as connection:
        with connection:
            connection.execute("UPDATE subjects SET name='Berta'")
        shutil.copytree(data_dir, tmp_path / "killed")
    gallery = BlockingGallery.open(tmp_path / "killed", "exact")
    assert gallery.get_subject("default", "anna").name == "Berta"
    gallery.close()
