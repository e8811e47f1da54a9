"""Two replicas with the same records and the same Milvus."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import psycopg
import pytest

from service.domain.command_errors import DatabaseInUse
from service.gallery.search.milvus import changes, work
from service.gallery.search.milvus.address import MilvusAddress
from tests.service.gallery.milvus.faces_in_milvus import apply_changes, enrol, find_subjects, rows, wait_until
from tests.service.gallery.random_faces import make_face, make_faces
from tests.support.blocking_gallery import BlockingGallery
from tests.support.milvus_lite import MilvusLite
from tests.support.postgres_server import PostgresServer

pytestmark = pytest.mark.slow


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.create_database()


@pytest.fixture
def replicas(url: str, lite: MilvusLite, tmp_path: Path) -> Iterator[tuple[BlockingGallery, BlockingGallery]]:
    open_one = partial(BlockingGallery.open, index="milvus", url=url, milvus=MilvusAddress(lite.uri))
    first, second = open_one(tmp_path / "first"), open_one(tmp_path / "second")
    yield first, second
    first.close()
    second.close()


def test_what_one_replica_changes_the_other_one_finds_at_once(
    replicas: tuple[BlockingGallery, BlockingGallery],
) -> None:
    first, second = replicas
    for seed in range(30):
        enrol(first, f"s{seed}", make_face(seed))
        assert find_subjects(second, make_face(seed))[0] == f"s{seed}"
        if seed % 3 == 0:
            second.delete_subject("default", f"s{seed}")
            assert f"s{seed}" not in find_subjects(first, make_face(seed))
    apply_changes(first)
    assert len(rows(first)) == len(rows(second)) == 20


def test_what_a_killed_replica_had_not_applied_another_one_applies(
    replicas: tuple[BlockingGallery, BlockingGallery], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = replicas
    do = work.BackgroundWork.do
    killed = first.gallery.face_search.work  # type: ignore[attr-defined]
    monkeypatch.setattr(work.BackgroundWork, "do", lambda one: None if one is killed else do(one))
    enrol(first, "anna", make_face(1))
    wait_until(lambda: len(rows(second)) == 1)
    first.delete_subject("default", "anna")
    wait_until(lambda: rows(second) == {})


def test_after_many_changes_a_search_reads_no_row_of_those_that_milvus_has(
    replicas: tuple[BlockingGallery, BlockingGallery], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "SHOWN_AFTER", timedelta(0))
    monkeypatch.setattr(changes, "MANY_FORGOTTEN", 50)
    enrol(replicas[0], "anna", *make_faces(100))
    with psycopg.connect(url, autocommit=True) as connection:
        size = "SELECT pg_relation_size('vector_changes')"
        wait_until(lambda: connection.execute(size).fetchone() == (0,))
    assert find_subjects(replicas[1], make_faces(100)[5]) == ["anna"]


@pytest.mark.parametrize("index", ["pgvector", "exact"])
def test_a_replica_that_searches_in_another_way_does_not_start(
    replicas: tuple[BlockingGallery, BlockingGallery], url: str, tmp_path: Path, index: str
) -> None:
    with pytest.raises(DatabaseInUse, match="replicas of this database search with"):
        BlockingGallery.open(tmp_path / "third", index, url=url)
    assert find_subjects(replicas[0], make_face(1)) == []


def test_a_replica_with_milvus_does_not_start_beside_one_with_pgvector(
    url: str, lite: MilvusLite, tmp_path: Path
) -> None:
    with_pgvector = BlockingGallery.open(tmp_path / "first", "pgvector", url=url)
    with pytest.raises(DatabaseInUse, match="replicas of this database search with"):
        BlockingGallery.open(tmp_path / "second", "milvus", url=url, milvus=MilvusAddress(lite.uri))
    with_pgvector.close()
