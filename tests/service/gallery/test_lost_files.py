"""Files that are taken away from a running gallery are noticed: nothing more is acknowledged, and nothing is hidden."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from service.domain.command_errors import DataDirectoryUnusable
from service.domain.errors import StorageLost
from service.gallery.records.sqlite.data_directory import DATABASE_FILE, LOCK_FILE, MARK_FILE
from service.gallery.records.sqlite.database import SqliteDatabase
from tests.service.gallery.random_faces import MODEL, make_faces
from tests.support.blocking_gallery import BlockingGallery

JOURNAL_FILE = f"{DATABASE_FILE}-wal"


def delete(data_dir: Path, name: str) -> None:
    (data_dir / name).unlink()


def replace_by_copy(data_dir: Path, name: str) -> None:
    (data_dir / name).rename(data_dir / "old")
    shutil.copy(data_dir / "old", data_dir / name)


def truncate(data_dir: Path, name: str) -> None:
    (data_dir / name).write_bytes(b"")


def overwrite_with_noise(data_dir: Path, name: str) -> None:
    size_bytes = (data_dir / name).stat().st_size
    with (data_dir / name).open("r+b") as file:
        file.write(np.random.default_rng(0).bytes(size_bytes))


def move_directory(data_dir: Path, _name: str) -> None:
    data_dir.rename(data_dir.with_name("moved"))


DAMAGES = [
    (delete, DATABASE_FILE, "the database was moved or deleted"),
    (replace_by_copy, DATABASE_FILE, "the database was replaced"),
    (truncate, DATABASE_FILE, "the database was overwritten"),
    (overwrite_with_noise, DATABASE_FILE, "the database was overwritten"),
    (delete, JOURNAL_FILE, "the journal of the database .* was moved or deleted"),
    (delete, f"{DATABASE_FILE}-shm", "the shared memory of the database .* was moved or deleted"),
    (delete, LOCK_FILE, "the file `lock` .* was moved or deleted"),
    (move_directory, "", "the database was moved or deleted"),
]


def enrol_anna(gallery: BlockingGallery) -> None:
    gallery.put_subject("default", "anna", None, {})
    gallery.enrol("default", "anna", make_faces(3), MODEL)


@pytest.mark.parametrize(("damage", "name", "reason"), DAMAGES)
def test_a_file_that_is_taken_away_stops_all_changes_and_the_check(
    data_dir: Path, gallery: BlockingGallery, damage: Callable[[Path, str], None], name: str, reason: str
) -> None:
    enrol_anna(gallery)
    damage(data_dir, name)
    files = sorted(path.name for path in data_dir.iterdir()) if data_dir.exists() else []
    with capture_logs() as lines:
        for operation in (
            lambda: gallery.enrol("default", "anna", make_faces(1, seed=1), MODEL),
            lambda: gallery.delete_subject("default", "anna"),
            lambda: gallery.get_subject("default", "anna"),
            gallery.check,
        ):
            with pytest.raises(StorageLost, match=reason):
                operation()
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["storage_lost"]
    assert files == (sorted(path.name for path in data_dir.iterdir()) if data_dir.exists() else [])


def test_a_file_that_is_taken_away_during_a_change_leaves_the_change_unacknowledged(tmp_path: Path) -> None:
    with closing(SqliteDatabase(tmp_path / DATABASE_FILE)) as database:
        database.migrate()
        with pytest.raises(StorageLost), database.writing():
            delete(tmp_path, JOURNAL_FILE)


def test_a_deleted_journal_that_was_noticed_loses_nothing(data_dir: Path, tmp_path: Path) -> None:
    gallery = BlockingGallery.open(data_dir, "exact")
    enrol_anna(gallery)
    delete(data_dir, JOURNAL_FILE)
    with pytest.raises(StorageLost):
        gallery.check()
    shutil.copytree(data_dir, tmp_path / "killed")  # the files as kill -9 would leave them
    gallery.close()
    for folder in (tmp_path / "killed", data_dir):
        opened = BlockingGallery.open(folder, "exact")
        assert opened.face_count == 3
        opened.close()


def test_a_database_that_was_moved_away_is_complete_and_can_be_put_back(data_dir: Path) -> None:
    gallery = BlockingGallery.open(data_dir, "exact")
    enrol_anna(gallery)
    (data_dir / DATABASE_FILE).rename(data_dir / "moved")
    with pytest.raises(StorageLost):
        gallery.check()
    gallery.close()
    with pytest.raises(DataDirectoryUnusable, match=r"is missing or empty.*facenet restore.*delete"):
        BlockingGallery.open(data_dir, "exact")
    (data_dir / "moved").rename(data_dir / DATABASE_FILE)
    gallery = BlockingGallery.open(data_dir, "exact")
    assert gallery.face_count == 3
    gallery.close()


@pytest.mark.parametrize("damage", [delete, truncate])
def test_a_start_without_the_database_of_the_mark_is_refused(
    data_dir: Path, damage: Callable[[Path, str], None]
) -> None:
    BlockingGallery.open(data_dir, "exact").close()
    damage(data_dir, DATABASE_FILE)
    files = {path.name: path.read_bytes() for path in data_dir.iterdir()}
    with pytest.raises(DataDirectoryUnusable, match="is missing or empty"):
        BlockingGallery.open(data_dir, "exact")
    assert {path.name: path.read_bytes() for path in data_dir.iterdir()} == files
    (data_dir / MARK_FILE).unlink()  # as the message says
    BlockingGallery.open(data_dir, "exact").close()


def test_a_start_with_the_database_of_another_gallery_is_refused(data_dir: Path, tmp_path: Path) -> None:
    for folder in (data_dir, tmp_path / "other"):
        BlockingGallery.open(folder, "exact").close()
    shutil.copy(tmp_path / "other" / DATABASE_FILE, data_dir)
    with pytest.raises(DataDirectoryUnusable, match="belongs to another gallery"):
        BlockingGallery.open(data_dir, "exact")


def test_a_damaged_mark_is_refused(data_dir: Path) -> None:
    BlockingGallery.open(data_dir, "exact").close()
    (data_dir / MARK_FILE).write_bytes(b"\xff" * 33)
    with pytest.raises(DataDirectoryUnusable, match="mark"):
        BlockingGallery.open(data_dir, "exact")


def test_a_copy_of_the_database_of_a_running_gallery_does_not_start_without_its_journal(
    data_dir: Path, gallery: BlockingGallery, tmp_path: Path
) -> None:
    enrol_anna(gallery)
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copy(data_dir / DATABASE_FILE, copy)
    for _ in range(2):
        with pytest.raises(DataDirectoryUnusable, match=r"in use .* its journal gallery.sqlite3-wal is missing"):
            BlockingGallery.open(copy, "exact")
    (copy / JOURNAL_FILE).touch()  # as the message says
    BlockingGallery.open(copy, "exact").close()


def test_a_copy_of_the_database_of_a_closed_gallery_is_complete_and_starts(data_dir: Path, tmp_path: Path) -> None:
    gallery = BlockingGallery.open(data_dir, "exact")
    enrol_anna(gallery)
    gallery.close()
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copy(data_dir / DATABASE_FILE, copy)
    gallery = BlockingGallery.open(copy, "exact")
    assert gallery.face_count == 3
    gallery.close()


def test_noise_inside_of_the_database_is_refused_at_the_start(data_dir: Path) -> None:
    gallery = BlockingGallery.open(data_dir, "exact")
    enrol_anna(gallery)
    gallery.close()
    database = data_dir / DATABASE_FILE
    content = database.read_bytes()
    database.write_bytes(content[:4096] + np.random.default_rng(0).bytes(len(content) - 4096))
    with pytest.raises(DataDirectoryUnusable, match=r"damaged.*Restore a backup"):
        BlockingGallery.open(data_dir, "exact")


def change_embedding(data_dir: Path, embedding: bytes) -> None:
    with closing(sqlite3.connect(data_dir / DATABASE_FILE)) as connection, connection:
        connection.execute("UPDATE faces SET embedding = ? WHERE number = 2", (embedding,))


NO_UNIT_VECTORS = [np.full(16, value, "<f4").tobytes() for value in (np.nan, np.inf, 0, 1e30)] + [
    b"",
    b"abc",
    bytes(60),
]


@pytest.mark.parametrize("embedding", NO_UNIT_VECTORS)
def test_a_damaged_embedding_is_never_in_an_answer(data_dir: Path, gallery: BlockingGallery, embedding: bytes) -> None:
    enrol_anna(gallery)
    change_embedding(data_dir, embedding)
    face = gallery.list_faces("default", "anna", 10, None).items
    damaged = next(one.id for one in face if one.number == 2)
    for name, *arguments in (("face_embedding", damaged), ("subject_embeddings", "anna"), ("references",)):
        with pytest.raises(StorageLost, match="a stored embedding is damaged"):
            getattr(gallery, name)("default", *arguments, MODEL)


@pytest.mark.parametrize("embedding", NO_UNIT_VECTORS)
def test_a_start_with_a_damaged_embedding_is_refused(data_dir: Path, embedding: bytes) -> None:
    gallery = BlockingGallery.open(data_dir, "exact")
    enrol_anna(gallery)
    gallery.close()
    change_embedding(data_dir, embedding)
    with pytest.raises(DataDirectoryUnusable, match=r"a stored embedding is damaged.*Restore a backup"):
        BlockingGallery.open(data_dir, "exact")
