"""pgvector: a large collection has an index, a smaller one has none, and all vectors are stored."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import psycopg
import pytest

from service.domain.distances import squared_l2
from service.gallery.base import FaceToEnrol
from service.gallery.records.postgresql import vector_index, vector_search
from service.gallery.records.postgresql.connections import CANDIDATES
from service.gallery.records.postgresql.vector_index import keep_indexes
from tests.service.gallery.postgresql.conftest import OpenReplica, Replica
from tests.service.gallery.random_faces import MODEL, make_embeddings, make_faces

FACES = 2_000
PROBE = make_embeddings(1, seed=9)
INDEXES = "SELECT indexname FROM pg_indexes WHERE tablename = 'face_vectors' AND indexdef LIKE '%hnsw%'"


@pytest.fixture
def index() -> str:
    return "pgvector"


@pytest.fixture(autouse=True)
def low_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (vector_index, vector_search):
        monkeypatch.setattr(module, "INDEX_FACES", FACES)
    monkeypatch.setattr(vector_index, "NO_INDEX_FACES", FACES // 2)
    monkeypatch.setattr(vector_index, "LOOK_AGAIN_S", 0)


@pytest.fixture
def other_client(url: str) -> Iterator[psycopg.Connection]:
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        yield connection


def fill(replica: Replica, faces: int = FACES, seed: int = 0) -> None:
    replica.put_subject("default", f"crowd{seed}", None, {})
    replica.enrol("default", f"crowd{seed}", make_faces(faces, seed), MODEL)


def hnsw_indexes(connection: psycopg.Connection) -> list[str]:
    return [name for (name,) in connection.execute(INDEXES).fetchall()]


def plan(connection: psycopg.Connection) -> str:
    """Return how the database searches."""
    (key,) = connection.execute("SELECT key FROM collections WHERE id = 'default'").fetchone()  # type: ignore[misc]
    statement = str(vector_search._statement(key, 16, 40, "halfvec"))  # noqa: SLF001
    vectors = "'{" + f'"{PROBE[0].tolist()}"' + "}'"
    return str(connection.execute("EXPLAIN " + statement.replace(":probes", vectors)).fetchall())


def test_a_large_collection_gets_an_index_and_a_small_one_loses_it(
    open_replica: OpenReplica, other_client: psycopg.Connection
) -> None:
    replica = open_replica()
    fill(replica, FACES - 1)
    keep_indexes(replica.database)
    assert hnsw_indexes(other_client) == []
    replica.put_subject("default", "anna", None, {})
    replica.enrol("default", "anna", make_faces(1, seed=50), MODEL)
    keep_indexes(replica.database)
    (name,) = hnsw_indexes(other_client)
    assert name in plan(other_client)
    distances = squared_l2(PROBE, make_embeddings(FACES - 1))[0]
    (candidates,), searched = replica.search("default", PROBE, 2, MODEL)
    assert searched == FACES
    assert min(candidate.distance for candidate in candidates) == pytest.approx(
        min(distances.min(), squared_l2(PROBE, make_embeddings(1, seed=50)).min()), abs=1e-5
    )
    keep_indexes(replica.database)
    assert hnsw_indexes(other_client) == [name]
    replica.delete_subject("default", "crowd0")
    keep_indexes(replica.database)
    assert hnsw_indexes(other_client) == []
    assert [found.subject for found in replica.search("default", PROBE, 2, MODEL)[0][0]] == ["anna"]


def test_an_index_of_32_bits_is_removed_and_one_of_16_bits_is_built(
    open_replica: OpenReplica, other_client: psycopg.Connection
) -> None:
    replica = open_replica()
    fill(replica)
    other_client.execute(
        "CREATE INDEX face_vectors_hnsw_1 ON face_vectors USING hnsw (CAST(embedding AS vector(16)) vector_l2_ops)"
    )
    keep_indexes(replica.database)
    (name,) = hnsw_indexes(other_client)
    assert "halfvec" in plan(other_client)
    assert name in plan(other_client)


def test_distances_are_those_of_the_stored_vectors_with_and_without_an_index(open_replica: OpenReplica) -> None:
    replica = open_replica()
    fill(replica, FACES - 1)
    (before,), _ = replica.search("default", PROBE, 1, MODEL)
    fill(replica, 1, seed=70)
    keep_indexes(replica.database)
    (after,), searched = replica.search("default", PROBE, 1, MODEL)
    assert searched == FACES
    nearest = squared_l2(PROBE, make_embeddings(FACES - 1))[0].min()
    for found in (before, after):
        assert found[0].distance == pytest.approx(nearest, abs=1e-6)


def test_faces_are_found_behind_more_deleted_ones_than_an_index_compares(
    open_replica: OpenReplica, other_client: psycopg.Connection
) -> None:
    """Deleted faces stay in an index until VACUUM. The database would compare so few faces without the index."""
    for way in ("seqscan", "bitmapscan", "sort"):
        other_client.execute(f"ALTER DATABASE {other_client.info.dbname} SET enable_{way} = off")
    replica = open_replica()
    faces = make_faces(FACES + 2 * CANDIDATES)
    faces.sort(key=lambda face: float(squared_l2(PROBE, face.embedding[None])[0, 0]))
    for subject, part in (("near", faces[: 2 * CANDIDATES]), ("far", faces[2 * CANDIDATES :])):
        replica.put_subject("default", subject, None, {})
        replica.enrol("default", subject, part, MODEL)
    keep_indexes(replica.database)
    replica.delete_subject("default", "near")
    assert len(hnsw_indexes(other_client)) == 1
    ((found,),), searched = replica.search("default", PROBE, 1, MODEL)
    assert (found.subject, searched) == ("far", FACES)
    expected = squared_l2(PROBE, faces[2 * CANDIDATES].embedding[None])[0, 0]
    assert found.distance == pytest.approx(expected, abs=1e-6)


def test_a_collection_that_is_being_imported_gets_its_index_afterwards(
    open_replica: OpenReplica, other_client: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica = open_replica()
    fill(replica)
    monkeypatch.setattr(vector_index, "IMPORTED_FACES", 0)
    monkeypatch.setattr(vector_index, "LOOK_AGAIN_S", 1.0)
    with ThreadPoolExecutor(1) as thread:
        looking = thread.submit(keep_indexes, replica.database)
        for seed in range(1, 9):
            fill(replica, 1, seed)
            time.sleep(0.2)
        looking.result()
    assert hnsw_indexes(other_client) == []
    keep_indexes(replica.database)
    assert len(hnsw_indexes(other_client)) == 1


def test_the_index_of_a_deleted_collection_is_removed(
    open_replica: OpenReplica, other_client: psycopg.Connection
) -> None:
    replica = open_replica()
    fill(replica)
    keep_indexes(replica.database)
    replica.delete_collection("default")
    keep_indexes(replica.database)
    assert hnsw_indexes(other_client) == []


def test_an_index_that_was_not_built_to_its_end_is_built_again(
    open_replica: OpenReplica, other_client: psycopg.Connection
) -> None:
    replica = open_replica()
    fill(replica)
    keep_indexes(replica.database)
    other_client.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass", hnsw_indexes(other_client)
    )
    keep_indexes(replica.database)
    is_valid = other_client.execute(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = %s::regclass", hnsw_indexes(other_client)
    )
    assert is_valid.fetchone() == (True,)


def test_two_replicas_build_an_index_once(open_replica: OpenReplica, other_client: psycopg.Connection) -> None:
    pair = open_replica(), open_replica()
    fill(pair[0])
    threads = [threading.Thread(target=keep_indexes, args=[replica.database]) for replica in pair * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(hnsw_indexes(other_client)) == 1


@pytest.mark.slow
def test_a_build_waits_for_a_client_whose_transaction_takes_longer_than_a_lock(
    open_replica: OpenReplica, other_client: psycopg.Connection, url: str
) -> None:
    """A dump of the database takes long. An index that gave up would be built again and again meanwhile."""
    replica = open_replica()
    fill(replica)
    with closing(psycopg.connect(url)) as dump:
        dump.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        dump.execute("SELECT count(*) FROM face_vectors").fetchone()
        building = threading.Thread(target=keep_indexes, args=[replica.database])
        building.start()
        time.sleep(12)
        assert building.is_alive()
        assert replica.search("default", PROBE, 1, MODEL)[1] == FACES
        replica.enrol("default", "crowd0", make_faces(1, seed=60), MODEL)
        dump.rollback()
    building.join(60)
    (is_valid,) = other_client.execute(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = %s::regclass", hnsw_indexes(other_client)
    ).fetchall()
    assert is_valid == (True,)


def test_faces_of_an_index_in_memory_are_found_by_pgvector(tmp_path: Path, url: str, open_replica: OpenReplica) -> None:
    in_memory = Replica.open(tmp_path / "memory", "faiss", url=url)
    in_memory.create_collection("staff")
    for collection in ("default", "staff"):
        in_memory.put_subject(collection, "anna", None, {})
        in_memory.enrol(collection, "anna", make_faces(30, seed=len(collection)), MODEL)
    expected = [in_memory.search(collection, PROBE, 5, MODEL) for collection in ("default", "staff")]
    in_memory.close()
    replica = open_replica()
    for collection, (rows, searched) in zip(("default", "staff"), expected, strict=True):
        found = replica.search(collection, PROBE, 5, MODEL)
        assert [one.face for one in found[0][0]] == [one.face for one in rows[0]]
        assert found[1] == searched == 30


def test_a_vector_that_is_missing_is_stored_by_the_next_start(
    open_replica: OpenReplica, other_client: psycopg.Connection
) -> None:
    replica = open_replica()
    fill(replica, 30)
    other_client.execute("DELETE FROM face_vectors WHERE number % 3 = 0")
    open_replica()
    assert other_client.execute("SELECT count(*) FROM face_vectors").fetchone() == (30,)
    vectors = other_client.execute("SELECT embedding::text FROM face_vectors ORDER BY number").fetchall()
    stored = np.array([vector.strip("[]").split(",") for (vector,) in vectors], np.float32)
    assert np.allclose(stored, make_embeddings(30), atol=1e-6)


def test_a_full_copy_of_a_photograph_is_refused_and_leaves_no_vector(
    open_replica: OpenReplica, other_client: psycopg.Connection
) -> None:
    replica = open_replica()
    fill(replica, 10)
    replica.put_subject("default", "anna", None, {})
    replica.enrol("default", "anna", [FaceToEnrol(face.image_sha256, face.embedding) for face in make_faces(10)], MODEL)
    assert other_client.execute("SELECT count(*) FROM face_vectors").fetchone() == (10,)
    replica.delete_collection("default")
    assert other_client.execute("SELECT count(*) FROM face_vectors").fetchone() == (0,)
