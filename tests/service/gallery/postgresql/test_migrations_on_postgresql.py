"""On PostgreSQL, the revisions make the tables of the schema, also if several processes start at once."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, create_engine, inspect

from service.domain.command_errors import StartupError
from service.gallery.opening import Server, open_gallery
from service.gallery.records.migrate import known_revisions
from service.gallery.records.schema import METADATA
from tests.service.gallery.postgresql.conftest import Replica
from tests.support.postgres_server import PostgresServer

OWN_TABLES = {"alembic_version", "face_changes", "face_vectors"}
"""They are not in the schema, because SQLite has no use for them."""
START = """
import sys
from pathlib import Path
from service.gallery.opening import Server, open_gallery
with open_gallery(Path(sys.argv[1]), sys.argv[2], server=Server(sys.argv[3])) as gallery:
    gallery.face_search.check()
"""


@pytest.fixture
def engine(url: str) -> Engine:
    return create_engine(url.replace("postgresql:", "postgresql+psycopg:"))


def columns(engine: Engine) -> dict[str, dict[str, tuple[str, bool]]]:
    """Return the type of each column and whether it may be NULL, by table and column."""
    found = inspect(engine)
    return {
        table: {column["name"]: (str(column["type"]), column["nullable"]) for column in found.get_columns(table)}
        for table in found.get_table_names()
        if table not in OWN_TABLES
    }


def collations(url: str) -> set[tuple[str, str, str | None]]:
    with psycopg.connect(url) as connection:
        return set(
            connection.execute(
                "SELECT table_name, column_name, collation_name FROM information_schema.columns "
                "WHERE table_schema = 'public' AND NOT table_name = ANY(%s)",
                [list(OWN_TABLES)],
            ).fetchall()
        )


def constraints(url: str) -> set[tuple[str, str]]:
    """Return the table and the text of each constraint and index, without their names."""
    with psycopg.connect(url) as connection:
        checks = connection.execute(
            "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE connamespace = 'public'::regnamespace"
        ).fetchall()
        indexes = connection.execute(
            "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'"
        ).fetchall()
    texts = [(table, text.partition(" USING ")[2] if "INDEX" in text else text) for table, text in checks + indexes]
    return {(table, text) for table, text in texts if table not in OWN_TABLES}


def test_the_migrated_database_is_as_the_schema_says(
    tmp_path: Path, url: str, index: str, engine: Engine, postgres: PostgresServer
) -> None:
    Replica.open(tmp_path / "data", index, url=url).close()
    described_url = postgres.create_database()
    described = create_engine(described_url.replace("postgresql:", "postgresql+psycopg:"))
    METADATA.create_all(described)
    assert columns(engine) == columns(described)
    assert collations(url) == collations(described_url)
    assert constraints(url) == constraints(described_url)
    with engine.connect() as connection:
        options = {"include_name": lambda name, kind, _: kind != "table" or name not in OWN_TABLES}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), METADATA) == []
    engine.dispose()
    described.dispose()


@pytest.mark.slow
def test_processes_that_start_at_once_migrate_once(tmp_path: Path, url: str, index: str) -> None:
    def start(number: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", START, str(tmp_path / str(number)), index, url]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    with ThreadPoolExecutor(3) as threads:
        ended = list(threads.map(start, range(3)))
    assert [process.returncode for process in ended] == [0, 0, 0], [process.stderr for process in ended]
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(known_revisions()[-1],)]
        assert connection.execute("SELECT count(*) FROM storage").fetchone() == (1,)
        assert connection.execute("SELECT id FROM collections").fetchall() == [("default",)]


def test_a_failed_migration_changes_nothing_and_the_next_start_succeeds(tmp_path: Path, url: str, index: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE face_changes (of_somebody_else text)")  # of the last revision
    with pytest.raises(StartupError, match="face_changes"), open_gallery(tmp_path / "data", index, server=Server(url)):
        pass
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall() == [
            ("face_changes",)
        ]
        connection.execute("DROP TABLE face_changes")
    with closing(Replica.open(tmp_path / "data", index, url=url)) as replica:
        replica.check()
