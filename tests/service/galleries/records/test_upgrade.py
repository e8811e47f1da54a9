"""A database comes to this version's form, or is refused; never is one of a newer version touched."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine

from service.errors import DataDirectoryUnusable
from service.galleries.gallery import DATABASE, Gallery
from service.galleries.records.database import Records
from service.galleries.records.schema import METADATA
from tests.service.galleries.made_up import MODEL, faces


def tables(database: Path) -> list[tuple[str, str]]:
    """What SQLite says of them, but for Alembic's own and for blanks."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE sql NOT NULL AND name NOT LIKE 'alembic%' ORDER BY name"
        ).fetchall()
    return [(name, " ".join(sql.split())) for name, sql in rows]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    with closing(Records(tmp_path / DATABASE)) as records:
        records.upgrade()
    return tmp_path / DATABASE


def test_the_revisions_give_the_tables_that_the_statements_expect(database: Path, tmp_path: Path) -> None:
    described = create_engine(f"sqlite:///{tmp_path / 'described'}")
    METADATA.create_all(described)
    described.dispose()
    assert tables(database) == tables(tmp_path / "described")


def test_alembic_finds_nothing_that_a_revision_forgot(database: Path) -> None:
    engine = create_engine(f"sqlite:///{database}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    engine.dispose()


def test_numbers_of_faces_are_never_given_again(database: Path) -> None:
    assert "AUTOINCREMENT" in dict(tables(database))["faces"]


def test_a_database_of_this_version_stays_as_it_is(data_dir: Path) -> None:
    gallery = Gallery.open(data_dir, "exact")
    gallery.put_subject("default", "anna", None, {})
    gallery.enrol("default", "anna", faces(3), MODEL)
    gallery.close()
    before = (data_dir / DATABASE).read_bytes()
    Gallery.open(data_dir, "exact").close()
    with closing(sqlite3.connect(data_dir / DATABASE)) as connection:
        assert connection.execute("SELECT count(*) FROM faces").fetchone() == (3,)
    assert (data_dir / DATABASE).stat().st_size == len(before)


def test_a_database_of_a_newer_version_is_refused_untouched(data_dir: Path) -> None:
    Gallery.open(data_dir, "exact").close()
    with closing(sqlite3.connect(data_dir / DATABASE)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num='9999'")
    before = (data_dir / DATABASE).read_bytes()
    with pytest.raises(
        DataDirectoryUnusable, match=r"newer version .*9999.* Start that version, or set FACE_DATA_DIR"
    ) as told:
        Gallery.open(data_dir, "exact")
    assert "\n" not in str(told.value)
    assert (data_dir / DATABASE).read_bytes() == before


def test_a_revision_that_fails_leaves_the_database_as_it_was(data_dir: Path) -> None:
    """The revision makes `collections`, then `subjects`, and finds that a table of this name is there."""
    data_dir.mkdir()
    with closing(sqlite3.connect(data_dir / DATABASE)) as connection:
        connection.execute("CREATE TABLE subjects (something_else)")
    with pytest.raises(DataDirectoryUnusable, match="table subjects already exists"):
        Gallery.open(data_dir, "exact")
    with closing(sqlite3.connect(data_dir / DATABASE)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("subjects",)]
