"""The database of the records: durable commits, atomic changes, and one error for every failure of the storage."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from service.domain.errors import StorageLost, StorageUnavailable
from service.gallery.base import SubjectToCreate
from service.gallery.indexes.exact import ExactIndex
from service.gallery.records.sqlite import connections as sqlite
from service.gallery.records.sqlite import database as database_module
from service.gallery.records.sqlite.data_directory import DATABASE_FILE
from service.gallery.records.sqlite.database import SqliteDatabase
from tests.service.gallery.random_faces import MODEL, make_embeddings, make_faces
from tests.support.blocking_gallery import BlockingGallery
from tests.support.full_disk import simulate_full_disk


@pytest.fixture
def records(tmp_path: Path) -> Iterator[SqliteDatabase]:
    with closing(SqliteDatabase(tmp_path / DATABASE_FILE)) as database:
        database.migrate()
        yield database


def largest_file(folder: Path) -> int:
    return max(path.stat().st_size for path in folder.iterdir())


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("synchronous", 2), ("journal_mode", "wal"), ("foreign_keys", 1), ("secure_delete", 1), ("temp_store", 2)],
)
def test_every_connection_has_the_pragmas_of_a_durable_database(
    records: SqliteDatabase, pragma: str, value: object
) -> None:
    """synchronous=2 is FULL. A test with kill -9 cannot show that it is set. Only a power cut could."""
    with records.reading() as first, records.writing() as second:
        assert first.scalar(text(f"PRAGMA {pragma}")) == second.scalar(text(f"PRAGMA {pragma}")) == value


def test_searches_read_the_mapped_file_and_nothing_else_does(records: SqliteDatabase) -> None:
    """What is mapped counts as memory of the process, once for each connection."""
    with records.reading_once() as searching, records.reading() as first, records.writing() as second:
        sizes = [connection.scalar(text("PRAGMA mmap_size")) for connection in (searching, first, second)]
        assert sizes == [sqlite.MAPPED_BYTES, 0, 0]
        assert searching.scalar(text("PRAGMA secure_delete")) == 1


def test_a_failed_transaction_is_rolled_back(records: SqliteDatabase) -> None:
    def fail_halfway() -> None:
        with records.writing() as connection:
            connection.execute(text("INSERT INTO collections (id, created_at) VALUES ('left', '2026-01-01')"))
            raise KeyError

    with pytest.raises(KeyError):
        fail_halfway()
    with records.reading() as connection:
        assert connection.scalar(text("SELECT count(*) FROM collections")) == 0


def test_a_reader_reads_one_state_while_another_connection_writes(records: SqliteDatabase) -> None:
    count = text("SELECT count(*) FROM collections")
    with records.reading() as reader:
        assert reader.scalar(count) == 0
        with records.writing() as writer:
            writer.execute(text("INSERT INTO collections (id, created_at) VALUES ('left', '2026-01-01')"))
        assert reader.scalar(count) == 0
    with records.reading() as reader:
        assert reader.scalar(count) == 1


def test_a_storage_error_contains_no_names_and_no_vectors(records: SqliteDatabase) -> None:
    with pytest.raises(StorageUnavailable) as raised, records.writing() as connection:
        connection.execute(text("INSERT INTO subjects (id, name) VALUES (:id, :name)"), {"id": "anna", "name": "Anna"})
    exception: BaseException | None = raised.value
    while exception:
        assert "Anna" not in str(exception)
        exception = exception.__context__


def test_a_full_disk_stores_nothing_and_the_gallery_still_works(data_dir: Path, gallery: BlockingGallery) -> None:
    gallery.put_subject("default", "anna", None, {})
    gallery.enrol("default", "anna", make_faces(10), MODEL)
    new_faces = make_faces(3_000, seed=1)
    with simulate_full_disk(largest_file(data_dir) + 4096):
        with pytest.raises(StorageUnavailable):
            gallery.enrol("default", "anna", new_faces, MODEL)
        with pytest.raises(StorageUnavailable):
            gallery.create_subject("default", SubjectToCreate("berta", "x" * 1_000_000))
        gallery.check()
        ((nearest, *_),), searched = gallery.search("default", make_embeddings(1), 1, MODEL)
    assert (nearest.subject, searched, gallery.face_count) == ("anna", 10, 10)
    assert gallery.get_collection("default").faces == 10
    assert len(gallery.enrol("default", "anna", new_faces, MODEL)) == 3_000
    gallery.check()
    assert gallery.face_count == 3_010


def test_a_journal_that_cannot_be_emptied_is_kept_and_no_face_is_lost(tmp_path: Path, records: SqliteDatabase) -> None:
    database_file, journal_file = tmp_path / DATABASE_FILE, tmp_path / f"{DATABASE_FILE}-wal"
    gallery = BlockingGallery.from_database(records, ExactIndex)
    gallery.put_subject("default", "anna", None, {})
    gallery.enrol("default", "anna", make_faces(100), MODEL)
    with simulate_full_disk(database_file.stat().st_size):
        records.empty_journal()
    assert journal_file.stat().st_size
    records.empty_journal()
    assert not journal_file.stat().st_size
    assert len(gallery.subject_embeddings("default", "anna", MODEL)) == 100


def test_a_full_disk_at_the_start_is_a_storage_error(tmp_path: Path) -> None:
    with (
        simulate_full_disk(0),
        pytest.raises(StorageUnavailable),
        closing(SqliteDatabase(tmp_path / DATABASE_FILE)) as records,
    ):
        records.migrate()


def test_records_that_another_writer_locks_are_unavailable(tmp_path: Path, records: SqliteDatabase) -> None:
    with records.reading() as connection:
        connection.execute(text("PRAGMA busy_timeout=10"))
    with closing(sqlite3.connect(tmp_path / DATABASE_FILE, isolation_level=None)) as other_connection:
        other_connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageUnavailable) as raised, records.writing():
            pytest.fail("two connections write at the same time")
        assert str(raised.value.__cause__) == "database is locked"
        other_connection.execute("ROLLBACK")
    with records.writing():
        pass


def test_the_check_fails_if_the_records_cannot_be_read(data_dir: Path, gallery: BlockingGallery) -> None:
    gallery.check()
    with closing(sqlite3.connect(data_dir / DATABASE_FILE)) as connection:
        connection.execute("ALTER TABLE faces RENAME TO lost")
    for operation in (gallery.check, lambda: gallery.list_collections(10, None)):
        with pytest.raises(StorageUnavailable):
            operation()


PAGE_BYTES = 4096


def fill(path: Path) -> None:
    """Store so many faces that one page more or less is not read by a start."""
    with closing(SqliteDatabase(path)) as database:
        database.migrate()
        gallery = BlockingGallery.from_database(database, ExactIndex)
        gallery.put_subject("default", "anna", None, {})
        gallery.enrol("default", "anna", make_faces(2_000), MODEL)


def damage_page(path: Path, page: int) -> None:
    content = bytearray(path.read_bytes())
    content[page * PAGE_BYTES : (page + 1) * PAGE_BYTES] = bytes(range(256)) * (PAGE_BYTES // 256)
    path.write_bytes(content)


def test_damage_inside_of_a_small_file_stops_the_start(tmp_path: Path) -> None:
    path = tmp_path / DATABASE_FILE
    fill(path)
    damage_page(path, path.stat().st_size // PAGE_BYTES // 2)
    with closing(SqliteDatabase(path)) as database, pytest.raises(StorageLost, match="damaged"):
        database.migrate()


def test_damage_inside_of_a_large_file_is_found_while_it_is_used_and_ends_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / DATABASE_FILE
    fill(path)
    damage_page(path, path.stat().st_size // PAGE_BYTES // 2)
    monkeypatch.setattr(database_module, "LARGE_BYTES", 0)
    with closing(SqliteDatabase(path)) as database:
        database.migrate()
        with database.reading():
            pass
        database.check_structure()
        with pytest.raises(StorageLost, match="damaged"), database.reading():
            pass
        with pytest.raises(StorageLost), database.writing():
            pass


def test_a_large_file_without_damage_is_checked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / DATABASE_FILE
    fill(path)
    monkeypatch.setattr(database_module, "LARGE_BYTES", 0)
    with closing(SqliteDatabase(path)) as database:
        database.migrate()
        assert not database.is_checked
        database.check_structure()
        assert database.is_checked
        monkeypatch.setattr(sqlite, "check_structure", None)
        database.check_structure()
        with database.writing():
            pass


@pytest.mark.parametrize("interrupt", ["empty_journal", "rewrite", "interrupt_check"])
def test_the_check_of_a_large_file_ends_when_the_journal_must_be_emptied_and_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupt: str
) -> None:
    path = tmp_path / DATABASE_FILE
    fill(path)
    monkeypatch.setattr(database_module, "LARGE_BYTES", 0)
    with closing(SqliteDatabase(path)) as database:
        database.migrate()
        started = threading.Event()

        def read_for_ever(connection: sqlite3.Connection) -> None:
            started.set()
            connection.execute(
                "WITH RECURSIVE n(i) AS (SELECT number FROM faces UNION ALL SELECT i FROM n) SELECT count(*) FROM n"
            )

        with monkeypatch.context() as patched:
            patched.setattr(sqlite, "check_structure", read_for_ever)
            thread = threading.Thread(target=database.check_structure)
            thread.start()
            assert started.wait(10)
            time.sleep(0.1)  # until the statement runs
            result = getattr(database, interrupt)()
            thread.join(10)
            assert not thread.is_alive()
        assert not database.is_checked
        assert result is not False  # the journal was emptied
        database.check_structure()
        assert database.is_checked
