"""SQLite must find rows by their keys. If it reads a whole collection instead, a search in a large one is slow."""

from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Connection

from service.domain.errors import SubjectNotFound
from service.gallery.records.sqlite.database import SqliteDatabase
from service.gallery.records.statements import faces, indexed_faces, subjects

Statement = Callable[[Connection], object]
SOME = list(range(1, 51))


def plans_of(connection: Connection, run: Statement) -> list[str]:
    """Return the plan of each statement that the function runs, as SQLite describes it."""
    driver = connection.connection.driver_connection
    assert driver is not None
    seen: list[str] = []
    driver.set_trace_callback(seen.append)
    with suppress(SubjectNotFound):
        run(connection)
    driver.set_trace_callback(None)
    selects = [sql for sql in seen if sql.startswith("SELECT")]
    return [step for sql in selects for *_, step in driver.execute(f"EXPLAIN QUERY PLAN {sql}")]


@pytest.mark.parametrize(
    ("run", "found"),
    [
        (lambda connection: indexed_faces.owners(connection, 1, SOME), "SEARCH faces USING INTEGER PRIMARY KEY"),
        (
            lambda connection: indexed_faces.read_embeddings(connection, 1, np.array(SOME)),
            "SEARCH faces USING INTEGER PRIMARY KEY",
        ),
        (
            lambda connection: indexed_faces.read_owned_faces(connection, 1, np.array(SOME)),
            "SEARCH faces USING INTEGER PRIMARY KEY",
        ),
        (
            lambda connection: faces.find_photographs(connection, 1, ["ab" * 32, "cd" * 32]),
            "SEARCH faces USING INDEX sqlite_autoindex_faces",
        ),
        (
            lambda connection: subjects.find_key(connection, 1, "ada"),
            "SEARCH subjects USING COVERING INDEX sqlite_autoindex_subjects",
        ),
    ],
)
def test_rows_are_found_by_their_keys(run: Statement, found: str, tmp_path: Path) -> None:
    with closing(SqliteDatabase(tmp_path / "gallery.sqlite3")) as database:
        database.migrate()
        with database.reading() as connection:
            plans = plans_of(connection, run)
    assert any(plan.startswith(found) for plan in plans), plans
    assert not any(plan.startswith("SCAN faces") for plan in plans)
