"""How records are kept: durable at every commit, changes whole or not at all, every failure of storage one error."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from service.errors import StorageUnavailable
from service.galleries.base import NewSubject
from service.galleries.exact import ExactIndex
from service.galleries.gallery import DATABASE, Gallery
from service.galleries.records.database import Records
from tests.disks import disk_full_at
from tests.service.galleries.made_up import MODEL, faces, vectors


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    with closing(Records(tmp_path / DATABASE)) as opened:
        opened.upgrade()
        yield opened


def largest_file(folder: Path) -> int:
    return max(path.stat().st_size for path in folder.iterdir())


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("synchronous", 2), ("journal_mode", "wal"), ("foreign_keys", 1), ("secure_delete", 1), ("temp_store", 2)],
)
def test_every_connection_is_set_up(records: Records, pragma: str, value: object) -> None:
    """synchronous=2 is FULL: kill -9 cannot show it, only a power cut."""
    with records.reading() as first, records.writing() as second:
        assert first.scalar(text(f"PRAGMA {pragma}")) == second.scalar(text(f"PRAGMA {pragma}")) == value


def test_a_failure_inside_undoes_the_change(records: Records) -> None:
    def fail_halfway() -> None:
        with records.writing() as connection:
            connection.execute(text("INSERT INTO collections (id, created_at) VALUES ('left', '2026-01-01')"))
            raise KeyError

    with pytest.raises(KeyError):
        fail_halfway()
    with records.reading() as connection:
        assert connection.scalar(text("SELECT count(*) FROM collections")) == 0


def test_a_reader_sees_one_state_whatever_is_written_meanwhile(records: Records) -> None:
    count = text("SELECT count(*) FROM collections")
    with records.reading() as reader:
        assert reader.scalar(count) == 0
        with records.writing() as writer:
            writer.execute(text("INSERT INTO collections (id, created_at) VALUES ('left', '2026-01-01')"))
        assert reader.scalar(count) == 0
    with records.reading() as reader:
        assert reader.scalar(count) == 1


def test_an_error_holds_neither_names_nor_vectors(records: Records) -> None:
    with pytest.raises(StorageUnavailable) as refusal, records.writing() as connection:
        connection.execute(text("INSERT INTO subjects (id, name) VALUES (:id, :name)"), {"id": "anna", "name": "Anna"})
    told: BaseException | None = refusal.value
    while told:
        assert "Anna" not in str(told)
        told = told.__context__


def test_a_full_disk_stores_nothing_and_the_gallery_goes_on(data_dir: Path, gallery: Gallery) -> None:
    gallery.put_subject("default", "anna", None, {})
    gallery.enrol("default", "anna", faces(10), MODEL)
    many = faces(3_000, seed=1)
    with disk_full_at(largest_file(data_dir) + 4096):
        with pytest.raises(StorageUnavailable):
            gallery.enrol("default", "anna", many, MODEL)
        with pytest.raises(StorageUnavailable):
            gallery.create_subject("default", NewSubject("berta", "x" * 1_000_000))
        gallery.check()
        ((first, *_),), searched = gallery.search("default", vectors(1), 1, MODEL)
    assert (first.subject, searched, gallery.size) == ("anna", 10, 10)
    assert gallery.collection("default").faces == 10
    assert len(gallery.enrol("default", "anna", many, MODEL)) == 3_000
    gallery.check()
    assert gallery.size == 3_010


def test_a_journal_that_cannot_be_emptied_is_kept_and_loses_nothing(tmp_path: Path, records: Records) -> None:
    database, journal = tmp_path / DATABASE, tmp_path / f"{DATABASE}-wal"
    gallery = Gallery(records, ExactIndex)
    gallery.put_subject("default", "anna", None, {})
    gallery.enrol("default", "anna", faces(100), MODEL)
    with disk_full_at(database.stat().st_size):
        records.empty_journal()
    assert journal.stat().st_size
    records.empty_journal()
    assert not journal.stat().st_size
    assert len(gallery.subject_vectors("default", "anna", MODEL)) == 100


def test_a_disk_that_is_full_at_the_start_is_told(tmp_path: Path) -> None:
    with disk_full_at(0), pytest.raises(StorageUnavailable), closing(Records(tmp_path / DATABASE)) as records:
        records.upgrade()


def test_records_that_another_writer_holds_are_unavailable(tmp_path: Path, records: Records) -> None:
    with records.reading() as connection:
        connection.execute(text("PRAGMA busy_timeout=10"))
    with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageUnavailable) as refusal, records.writing():
            pytest.fail("two write at once")
        assert str(refusal.value.__cause__) == "database is locked"
        other.execute("ROLLBACK")
    with records.writing():
        pass


def test_records_that_cannot_be_read_make_the_gallery_unready(data_dir: Path, gallery: Gallery) -> None:
    gallery.check()
    with closing(sqlite3.connect(data_dir / DATABASE)) as other:
        other.execute("ALTER TABLE faces RENAME TO lost")
    for verb in (gallery.check, lambda: gallery.collections(10, None)):
        with pytest.raises(StorageUnavailable):
            verb()
