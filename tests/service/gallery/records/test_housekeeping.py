"""After deletions and renamings, no byte of the old content is left. The database is rewritten for this."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from service.gallery.indexes.exact import ExactIndex
from service.gallery.opening import housekeeping as housekeeping_module
from service.gallery.opening.housekeeping import housekeeping
from service.gallery.records.sqlite import database as database_module
from service.gallery.records.sqlite.data_directory import DATABASE_FILE
from service.gallery.records.sqlite.database import SqliteDatabase
from tests.service.gallery.random_faces import MODEL, make_faces
from tests.support.blocking_gallery import BlockingGallery
from tests.support.full_disk import simulate_full_disk

SUBJECTS = 300
LONG_S = 20.0


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SqliteDatabase]:
    with closing(SqliteDatabase(tmp_path / DATABASE_FILE)) as database:
        database.migrate()
        yield database


def change_many(gallery: BlockingGallery) -> list[bytes]:
    """Enrol, rename and delete subjects in a random order. Return what must be gone."""
    chance = random.Random(0)  # noqa: S311  # nothing secret
    faces = make_faces(SUBJECTS)
    names = [f"person.{chance.getrandbits(96):024x}" + "x" * chance.randrange(40) for _ in range(SUBJECTS)]
    for name, face in zip(names, faces, strict=True):
        gallery.put_subject("default", name, f"former {name[::-1]}", {})
        gallery.enrol("default", name, [face], MODEL)
    for name in chance.sample(names, SUBJECTS):
        gallery.change_subject("default", name, {"name": "y" * chance.randrange(60)})
    deleted = chance.sample(range(SUBJECTS), SUBJECTS // 2)
    for number in deleted:
        gallery.delete_subject("default", names[number])
    former_names = [f"former {name[::-1]}".encode() for name in names]
    ids = [names[number].encode() for number in deleted]
    hashes = [faces[number].image_sha256.encode() for number in deleted]
    return former_names + ids + hashes + [faces[number].embedding.tobytes() for number in deleted]


def slow_down(database: SqliteDatabase, rewrites: threading.Event) -> None:
    """Let a rewrite take longer than LONG_S. It sets `rewrites` when it has begun."""
    connection = database._maintenance  # noqa: SLF001  # SQLite has no other way to be slow
    assert connection is not None

    def work_slowly() -> int:
        rewrites.set()
        time.sleep(0.02)
        return 0

    connection.set_progress_handler(work_slowly, 1)


def find(folder: Path, parts: list[bytes]) -> list[bytes]:
    content = b"".join(path.read_bytes() for path in folder.iterdir())
    return [part for part in parts if part in content]


@pytest.mark.slow
def test_nothing_of_deleted_and_renamed_subjects_is_left_after_the_rewrite(
    tmp_path: Path, database: SqliteDatabase
) -> None:
    gone = change_many(BlockingGallery.from_database(database, ExactIndex))
    assert database.rewrite()
    assert find(tmp_path, gone) == []
    assert database.erased_at_s is None


def test_a_former_name_is_removed_from_the_journal_at_once(tmp_path: Path, database: SqliteDatabase) -> None:
    gallery = BlockingGallery.from_database(database, ExactIndex)
    gallery.put_subject("default", "anna", "Former Name", {})
    gallery.change_subject("default", "anna", {"name": "Berta"})
    assert find(tmp_path, [b"Former Name"]) == []
    gallery.put_subject("default", "anna", "Carla", {})
    assert find(tmp_path, [b"Former Name", b"Berta"]) == []


def test_a_rewrite_keeps_all_records(database: SqliteDatabase) -> None:
    gallery = BlockingGallery.from_database(database, ExactIndex)
    gallery.put_subject("default", "anna", "Anna", {})
    gallery.enrol("default", "anna", make_faces(20), MODEL)
    before = gallery.list_faces("default", "anna", 100, None)
    assert database.rewrite()
    assert gallery.list_faces("default", "anna", 100, None) == before
    gallery.check()


def test_a_rewrite_waits_for_a_reader_and_is_done_later(database: SqliteDatabase) -> None:
    gallery = BlockingGallery.from_database(database, ExactIndex)
    gallery.put_subject("default", "anna", None, {})
    with database.reading() as connection:
        connection.execute(text("SELECT count(*) FROM faces")).all()
        gallery.delete_subject("default", "anna")
        assert not database.rewrite()
        assert database.erased_at_s is not None
    assert database.rewrite()


def test_a_full_disk_stops_a_rewrite_and_loses_nothing(tmp_path: Path, database: SqliteDatabase) -> None:
    gallery = BlockingGallery.from_database(database, ExactIndex)
    gallery.put_subject("default", "anna", None, {})
    gallery.enrol("default", "anna", make_faces(100), MODEL)
    gallery.create_collection("left")
    gallery.delete_collection("left")
    max_file_bytes = (tmp_path / DATABASE_FILE).stat().st_size // 2
    with simulate_full_disk(max_file_bytes), capture_logs() as lines, housekeeping(database):
        pass
    assert "remains_kept" in [line["event"] for line in lines]
    gallery.check()
    assert database.rewrite()
    assert gallery.face_count == 100


def test_a_start_after_a_kill_still_knows_that_something_was_deleted(tmp_path: Path, database: SqliteDatabase) -> None:
    gallery = BlockingGallery.from_database(database, ExactIndex)
    gallery.put_subject("default", "anna", None, {})
    gallery.delete_subject("default", "anna")
    database.close()  # without housekeeping, so without a rewrite
    with closing(SqliteDatabase(tmp_path / DATABASE_FILE)) as opened:
        opened.migrate()
        assert opened.erased_at_s is not None
        with housekeeping(opened):
            pass
        assert opened.erased_at_s is None


def test_an_error_of_one_chore_does_not_keep_the_others_from_their_work(
    database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping_module, "INTERVAL_S", 0.01)
    done = threading.Event()
    calls: list[int] = []

    def fail() -> None:
        calls.append(1)
        raise KeyError("a mistake")

    def work() -> None:
        if len(calls) > 1:
            done.set()

    with capture_logs() as lines, housekeeping(database, [fail, work]):
        assert done.wait(10)
    assert {"event": "chore_failed", "error": "KeyError", "log_level": "error"} in lines


def test_a_stop_interrupts_the_rewrite_of_a_large_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "QUICK_TO_REWRITE_BYTES", 0)
    monkeypatch.setattr(housekeeping_module, "INTERVAL_S", 0.01)
    monkeypatch.setattr(housekeeping_module, "QUIET_S", 0.0)
    rewrites = threading.Event()
    with closing(SqliteDatabase(tmp_path / DATABASE_FILE)) as database:
        database.migrate()
        gallery = BlockingGallery.from_database(database, ExactIndex)
        gallery.put_subject("default", "anna", None, {})
        gallery.enrol("default", "anna", make_faces(100), MODEL)
        with database.erasing():
            pass
        slow_down(database, rewrites)
        began_s = time.monotonic()
        with capture_logs() as lines, housekeeping(database):
            assert rewrites.wait(10)
        assert time.monotonic() - began_s < LONG_S
        assert [line["event"] for line in lines] == ["remains_kept", "remains_kept"]
        assert database.erased_at_s is not None
        assert gallery.face_count == 100
        gallery.check()


def test_a_stop_does_not_wait_for_the_rewrite_of_a_large_file(
    database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "QUICK_TO_REWRITE_BYTES", 0)
    change_many(BlockingGallery.from_database(database, ExactIndex))
    with capture_logs() as lines, housekeeping(database):
        pass
    assert [line["event"] for line in lines] == ["remains_kept"]
    assert database.erased_at_s is not None
