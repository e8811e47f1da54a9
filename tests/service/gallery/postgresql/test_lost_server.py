"""Without its server, the gallery says so soon. With the server again, it goes on, and holds all it acknowledged."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
import pytest
from sqlalchemy import Connection, make_url, text
from sqlalchemy.exc import InvalidRequestError

from service.domain.errors import ChangeUnconfirmed, FaceNotFound, StorageUnavailable
from service.gallery.records.postgresql.connections import connect, storage_errors
from tests.service.gallery.postgresql.conftest import Replica
from tests.service.gallery.random_faces import MODEL, make_embeddings, make_face, make_faces
from tests.support import postgres_server
from tests.support.postgres_server import PostgresServer

BOUND_S = 15
PROBE = make_embeddings(1)

pytestmark = pytest.mark.slow


@pytest.fixture
def url(own_server: PostgresServer) -> str:
    return own_server.create_database()


@pytest.fixture
def durable_server() -> Iterator[PostgresServer]:
    """Start a server that loses nothing when it is killed."""
    with mock.patch.dict(postgres_server.OPTIONS, {"fsync": "on"}), postgres_server.running_postgres() as server:
        yield server


@pytest.fixture
def replica(tmp_path: Path, url: str, index: str) -> Iterator[Replica]:
    with closing(Replica.open(tmp_path / "data", index, url=url)) as opened:
        opened.put_subject("default", "anna", None, {})
        yield opened


def calls_of(replica: Replica, face: str) -> list[Callable[[], Any]]:
    return [
        partial(replica.search, "default", PROBE, 1, MODEL),
        partial(replica.enrol, "default", "anna", [make_face(99)], MODEL),
        partial(replica.delete_face, "default", face),
        partial(replica.delete_subject, "default", "anna"),
        partial(replica.create_collection, "staff"),
        partial(replica.delete_collection, "default"),
        partial(replica.get_face, "default", face),
        partial(replica.list_collections, 10, None),
        partial(replica.collection_model, "default"),
        replica.check,
        replica.begin_request,
        replica.gallery.expire_all,
    ]


def test_each_call_fails_soon_without_the_server_and_works_when_it_is_there_again(
    replica: Replica, own_server: PostgresServer
) -> None:
    outcomes = replica.enrol("default", "anna", make_faces(5), MODEL)
    assert replica.search("default", PROBE, 1, MODEL)[1] == 5
    own_server.stop()
    for call in calls_of(replica, outcomes[0].face):
        began_s = time.monotonic()
        with pytest.raises(StorageUnavailable):
            call()
        assert time.monotonic() - began_s < BOUND_S
    own_server.start()
    assert replica.search("default", PROBE, 1, MODEL)[1] == 5
    replica.check()
    replica.delete_face("default", outcomes[0].face)
    replica.enrol("default", "anna", [make_face(99)], MODEL)
    assert replica.begin_request().search("default", PROBE, 1, MODEL)[1] == 5
    with pytest.raises(FaceNotFound):
        replica.get_face("default", outcomes[0].face)


def test_what_was_acknowledged_before_the_server_was_killed_is_there(
    tmp_path: Path, durable_server: PostgresServer, index: str
) -> None:
    url = durable_server.create_database()
    with closing(Replica.open(tmp_path / "data", index, url=url)) as replica:
        replica.put_subject("default", "anna", None, {})
        acknowledged: list[str] = []
        errors: list[StorageUnavailable] = []
        seed = 0
        for _ in range(3):
            killing = threading.Timer(0.3, durable_server.stop, [signal.SIGKILL])
            killing.start()
            while not errors or killing.is_alive():
                seed += 1
                try:
                    (outcome,) = replica.enrol("default", "anna", [make_face(seed)], MODEL)
                    acknowledged.append(outcome.face)
                except StorageUnavailable as error:
                    errors.append(error)
            killing.join()
            durable_server.start()
            errors.clear()
            found = {face.id for face in replica.list_faces("default", "anna", 10_000, None).items}
            assert found >= set(acknowledged)
            assert replica.search("default", PROBE, 1, MODEL)[1] == replica.count_faces("default") == len(found)
        assert acknowledged
        replica.check()


def test_a_commit_whose_connection_dies_is_not_acknowledged(replica: Replica, url: str) -> None:
    """The connection is ended when all statements of the change were run."""
    change = text("UPDATE subjects SET name = 'Anna'")

    def lose_commit() -> None:
        with replica.database.writing() as connection:
            connection.execute(change)
            end_own_connection(url, connection)

    def lose_statement() -> None:
        with replica.database.writing() as connection:
            end_own_connection(url, connection)
            connection.execute(change)

    with pytest.raises(ChangeUnconfirmed):
        lose_commit()
    assert replica.get_subject("default", "anna").name is None
    with pytest.raises(StorageUnavailable) as raised:
        lose_statement()
    assert type(raised.value) is StorageUnavailable
    replica.check()


def test_an_enrolment_whose_connections_are_ended_again_and_again_is_never_lost(replica: Replica, url: str) -> None:
    ended = threading.Event()

    def end_all() -> None:
        while not ended.wait(0.03):
            with psycopg.connect(url, autocommit=True) as connection:
                told = connection.execute(
                    "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'facenet'"
                )
                wait_for_end(connection, [pid for pid, _ in told])

    acknowledged, refused = [], 0
    with ThreadPoolExecutor(1) as thread:
        ending = thread.submit(end_all)
        try:
            for seed in range(150):
                try:
                    (outcome,) = replica.enrol("default", "anna", [make_face(seed)], MODEL)
                    acknowledged.append(outcome.face)
                except StorageUnavailable:
                    refused += 1
        finally:
            ended.set()
        ending.result()
    found = {face.id for face in replica.list_faces("default", "anna", 1000, None).items}
    assert found >= set(acknowledged)
    assert refused
    assert replica.search("default", PROBE, 1, MODEL)[1] == len(found)


def test_a_connection_that_is_lost_again_while_it_is_opened_again_is_a_failure_of_the_storage() -> None:
    """SQLAlchemy opens a lost connection twice, and then says this."""
    with pytest.raises(StorageUnavailable), storage_errors():
        raise InvalidRequestError("This connection is closed")


def end_own_connection(url: str, own: Connection) -> None:
    pid = own.scalar(text("SELECT pg_backend_pid()"))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(%s)", [pid])
        wait_for_end(connection, [pid])


def wait_for_end(connection: psycopg.Connection[Any], pids: list[int]) -> None:
    """Wait until the processes of the server have ended. They were only told to, and can still take a statement."""
    while connection.execute("SELECT FROM pg_stat_activity WHERE pid = ANY(%s)", [pids]).fetchone():
        time.sleep(0.01)


def test_more_threads_than_connections_wait_for_each_other(replica: Replica) -> None:
    replica.enrol("default", "anna", make_faces(5), MODEL)
    failed: list[StorageUnavailable] = []

    def search() -> None:
        for _ in range(5):
            try:
                assert replica.begin_request().search("default", PROBE, 1, MODEL)[1] == 5
            except StorageUnavailable as error:
                failed.append(error)

    threads = [threading.Thread(target=search) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed


def test_a_collection_that_another_client_has_locked_is_reported_as_unavailable(replica: Replica, url: str) -> None:
    with psycopg.connect(url) as other:
        other.execute("SELECT FROM collections FOR UPDATE")
        began_s = time.monotonic()
        with pytest.raises(StorageUnavailable):
            replica.enrol("default", "anna", [make_face(1)], MODEL)
        assert time.monotonic() - began_s < BOUND_S
        assert replica.search("default", PROBE, 1, MODEL) == ([[]], 0)
    replica.enrol("default", "anna", [make_face(1)], MODEL)


def test_a_machine_that_vanishes_is_noticed_by_the_connection(url: str) -> None:
    engine = connect(make_url(url).set(drivername="postgresql+psycopg"), "READ COMMITTED")
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        parameters = driver.info.get_parameters()
    engine.dispose()
    assert {"keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"} <= parameters.keys()


def test_a_connection_that_is_lost_outside_a_transaction_is_reported_and_replaced(replica: Replica, url: str) -> None:
    """Else the thread of chores would end, and never delete what expires again."""

    def lose_vacuum() -> None:
        with replica.database.autocommitting() as connection:
            end_own_connection(url, connection)
            connection.execute(text("VACUUM"))

    for _ in range(3):
        with pytest.raises(StorageUnavailable):
            lose_vacuum()
    with replica.database.autocommitting() as connection:
        assert connection.scalar(text("SHOW statement_timeout")) == "0"
    with replica.database.reading() as connection:
        assert connection.scalar(text("SHOW statement_timeout")) == "20s"
    assert replica.database.rewrite()
