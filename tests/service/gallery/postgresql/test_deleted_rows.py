"""Deleted rows leave the tables, and the list of changes does not grow for ever."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from service.gallery.base import FaceOfSubject, FaceToEnrol, SubjectToCreate
from service.gallery.opening import on_server
from service.gallery.opening.housekeeping import housekeeping
from service.gallery.records.postgresql import shared_faces
from service.gallery.records.postgresql.shared_faces import prune_changes
from tests.service.gallery.postgresql.conftest import OpenReplica, Replica
from tests.service.gallery.random_faces import MODEL, make_crop, make_embeddings, make_faces


@pytest.fixture
def replica(open_replica: OpenReplica) -> Replica:
    return open_replica()


@pytest.fixture
def other_client(url: str) -> Iterator[psycopg.Connection]:
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        yield connection


def dead_rows(connection: psycopg.Connection) -> dict[str, int]:
    """Return how many deleted rows each table still has, as the last VACUUM or ANALYZE has counted them."""
    connection.execute("SELECT pg_stat_force_next_flush()")
    tables = [name for (name,) in connection.execute("SELECT relname FROM pg_stat_user_tables").fetchall()]
    found = {}
    for table in tables:
        connection.execute(f"ANALYZE {table}")
        connection.execute("SELECT pg_stat_clear_snapshot()")
        row = connection.execute("SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = %s", [table]).fetchone()
        found[table] = row[0] if row else -1
    return {table: rows for table, rows in found.items() if rows}


def make_and_delete(replica: Replica) -> None:
    replica.create_collection("staff")
    for collection in ("default", "staff"):
        replica.put_subject(collection, "wilhelmina", "Wilhelmina", {})
        new = [replace(face, crop=make_crop(1)) for face in make_faces(50, seed=3)]
        outcomes = replica.enrol(collection, "wilhelmina", new, MODEL)
        replica.put_subject(collection, "wilhelmina", "W.", {})
        replica.delete_face(collection, outcomes[0].face)
    replica.delete_collection("staff")
    replica.delete_subject("default", "wilhelmina")


def test_no_deleted_row_is_left_after_a_rewrite(replica: Replica, other_client: psycopg.Connection) -> None:
    make_and_delete(replica)
    assert {"faces", "subjects", "crops"} <= dead_rows(other_client).keys()
    assert replica.database.erased_at_s is not None
    assert replica.database.rewrite()
    assert dead_rows(other_client).keys() <= {"storage", "alembic_version"}
    assert replica.database.erased_at_s is None


def test_a_row_that_another_client_can_still_see_leaves_with_the_next_rewrite(
    replica: Replica, other_client: psycopg.Connection, url: str
) -> None:
    with closing(psycopg.connect(url)) as watching:
        watching.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        watching.execute("SELECT count(*) FROM subjects").fetchone()
        make_and_delete(replica)
        assert replica.database.rewrite()
        assert "subjects" in dead_rows(other_client)
        watching.rollback()
    replica.database.erase_replaced_content()
    replica.database.rewrite()
    assert dead_rows(other_client).keys() <= {"storage", "alembic_version"}


@pytest.mark.slow
def test_the_thread_of_chores_removes_deleted_rows_soon(
    replica: Replica, other_client: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.gallery.opening.housekeeping.QUIET_S", 0.1)
    with housekeeping(replica.database):
        make_and_delete(replica)
        deadline_s = time.monotonic() + 30
        while replica.database.erased_at_s is not None:
            assert time.monotonic() < deadline_s
            time.sleep(0.1)
    assert "subjects" not in dead_rows(other_client)


def test_old_changes_are_pruned(replica: Replica, other_client: psycopg.Connection) -> None:
    make_and_delete(replica)
    count = "SELECT count(*) FROM face_changes"
    before = other_client.execute(count).fetchone()
    assert before is not None
    assert before[0] >= 200
    prune_changes(replica.database)
    assert other_client.execute(count).fetchone() == before
    kept = shared_faces.KEPT + timedelta(minutes=1)
    other_client.execute("UPDATE face_changes SET changed_at = changed_at - %s WHERE sequence %% 2 = 0", [kept])
    prune_changes(replica.database)
    assert other_client.execute("SELECT count(*) FROM face_changes WHERE sequence %% 2 = 0", []).fetchone() == (0,)
    assert other_client.execute(count).fetchone() != (0,)


@pytest.mark.slow
def test_changes_are_pruned_whichever_search_the_replicas_have(
    open_replica: OpenReplica, other_client: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_server, "PRUNE_S", 0.5)
    replica = open_replica()
    replica.put_subject("default", "anna", None, {})
    replica.enrol("default", "anna", make_faces(3), MODEL)
    other_client.execute("UPDATE face_changes SET changed_at = changed_at - interval '1 day'")
    deadline_s = time.monotonic() + 30
    while other_client.execute("SELECT count(*) FROM face_changes").fetchone() != (0,):
        assert time.monotonic() < deadline_s
        time.sleep(0.2)
    assert replica.search("default", make_embeddings(1), 1, MODEL)[1] == 3


@pytest.mark.slow
def test_a_collection_of_many_subjects_is_deleted_in_time(replica: Replica, other_client: psycopg.Connection) -> None:
    """Each subject has one face. All go in one transaction, and a statement may take 20 s."""
    people = 10_000
    embeddings = make_embeddings(people, seed=5)
    replica.create_collection("crowd")
    for start in range(0, people, 2_000):
        block = [
            FaceOfSubject(SubjectToCreate(f"s{number}"), FaceToEnrol(f"{number:064x}", embeddings[number]))
            for number in range(start, start + 2_000)
        ]
        replica.enrol_block("crowd", block, MODEL)
    other_client.execute("ANALYZE")
    began_s = time.monotonic()
    replica.delete_collection("crowd")
    assert time.monotonic() - began_s < 10
    assert other_client.execute("SELECT count(*) FROM faces").fetchone() == (0,)
