"""A replica that stops does not wait for a statement that takes minutes."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy import text

from service.domain.errors import StorageUnavailable
from service.gallery.records.postgresql import vector_index
from tests.service.gallery.postgresql.conftest import OpenReplica, Replica
from tests.service.gallery.random_faces import MODEL, make_faces

RUNNING = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%%pg_sleep(60)%%' AND pid <> %s"


def is_sleeping(url: str) -> bool:
    with psycopg.connect(url) as connection:
        (count,) = connection.execute(RUNNING, [connection.info.backend_pid]).fetchone()  # type: ignore[misc]
    return bool(count)


def sleep(replica: Replica, errors: list[Exception]) -> None:
    try:
        with replica.database.autocommitting() as connection:
            connection.execute(text("SELECT pg_sleep(60)"))
    except StorageUnavailable as error:
        errors.append(error)


def test_a_stop_cancels_it(open_replica: OpenReplica, url: str) -> None:
    replica, errors = open_replica(), list[Exception]()
    thread = threading.Thread(target=sleep, args=[replica, errors])
    thread.start()
    deadline_s = time.monotonic() + 20
    while not is_sleeping(url):
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    replica.close()
    thread.join(20)
    assert not thread.is_alive()
    assert len(errors) == 1
    assert not is_sleeping(url)


def test_a_stop_ends_the_wait_before_a_build(open_replica: OpenReplica, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_index, "INDEX_FACES", 10)
    monkeypatch.setattr(vector_index, "LOOK_AGAIN_S", 60.0)
    replica = open_replica("pgvector")
    replica.put_subject("default", "anna", None, {})
    replica.enrol("default", "anna", make_faces(20), MODEL)
    with ThreadPoolExecutor(1) as thread:
        building = thread.submit(vector_index.keep_indexes, replica.database)
        time.sleep(0.5)
        replica.database.long_statements.end()
        with pytest.raises(StorageUnavailable):
            building.result(timeout=20)


def test_none_begins_after_a_stop(open_replica: OpenReplica) -> None:
    replica = open_replica()
    replica.database.long_statements.end()
    with pytest.raises(StorageUnavailable):
        replica.database.rewrite()
