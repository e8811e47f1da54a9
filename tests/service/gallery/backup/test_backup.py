"""A backup holds exactly one moment of a gallery, and is restored only if it is intact and fits."""

import io
import json
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from service.domain.command_errors import BackupUnusable, DataDirectoryInUse
from service.domain.errors import Overloaded, StorageUnavailable
from service.gallery.backup.archive import DATABASE, MANIFEST
from service.gallery.backup.restore import restore
from service.gallery.records.sqlite.data_directory import DATABASE_FILE, LOCK_FILE, MARK_FILE
from service.gallery.records.sqlite.database import COPY_FILE
from tests.service.gallery.random_faces import MODEL, make_faces
from tests.support.blocking_gallery import BlockingGallery
from tests.support.full_disk import simulate_full_disk

MODELS = frozenset({MODEL.id})


def save(gallery: BlockingGallery, file: Path) -> Path:
    backup = gallery.back_up()
    content = b"".join(backup.chunks())
    assert len(content) == backup.size_bytes
    file.write_bytes(content)
    return file


@pytest.fixture
def backup(gallery: BlockingGallery, tmp_path: Path) -> Path:
    """Return a backup of a gallery with one subject of three faces."""
    gallery.put_subject("default", "anna", "Anna", {"team": "engines"})
    gallery.enrol("default", "anna", make_faces(3), MODEL)
    return save(gallery, tmp_path / "backup.tar")


def test_a_restored_gallery_holds_what_the_backup_held(backup: Path, gallery: BlockingGallery, tmp_path: Path) -> None:
    faces = gallery.list_faces("default", "anna", 10, None)
    gallery.delete_subject("default", "anna")
    manifest = restore(backup, tmp_path / "restored", MODELS)
    assert (manifest.collections, manifest.subjects, manifest.faces, manifest.models) == (1, 1, 3, (MODEL.id,))
    assert sorted(path.name for path in (tmp_path / "restored").iterdir()) == [DATABASE_FILE, LOCK_FILE, MARK_FILE]
    restored = BlockingGallery.open(tmp_path / "restored", "exact")
    assert restored.list_faces("default", "anna", 10, None) == faces
    assert restored.get_subject("default", "anna").metadata == {"team": "engines"}
    restored.check()
    restored.close()


def test_a_backup_is_one_moment_while_subjects_are_enrolled(gallery: BlockingGallery, tmp_path: Path) -> None:
    """A subject is created before its face is enrolled, one after the other. So a mixture of moments would show."""
    acknowledged: list[str] = []
    ended = threading.Event()

    def enrol() -> None:
        while not ended.is_set():
            subject = f"s{len(acknowledged):06}"
            gallery.put_subject("default", subject, None, {})
            gallery.enrol("default", subject, make_faces(1, seed=len(acknowledged)), MODEL)
            acknowledged.append(subject)

    thread = threading.Thread(target=enrol)
    thread.start()
    moments = []
    for number in range(5):
        before = list(acknowledged)
        file = save(gallery, tmp_path / f"{number}.tar")
        moments.append((file, before, len(acknowledged)))
    ended.set()
    thread.join()
    for file, before, acknowledged_after in moments:
        restore(file, tmp_path / file.stem, MODELS)
        restored = BlockingGallery.open(tmp_path / file.stem, "exact")
        subjects = {one.id: one.faces for one in restored.list_subjects("default", 100_000, None).items}
        complete = [subject for subject, faces in subjects.items() if faces]
        assert complete == acknowledged[: len(complete)], "no subject is missing between two others"
        assert len(before) <= len(complete) <= acknowledged_after + 1
        assert len(subjects) - len(complete) <= 1
        restored.close()


def test_a_backup_leaves_no_file_in_the_data_directory(backup: Path, data_dir: Path) -> None:
    assert backup.stat().st_size
    assert not (data_dir / COPY_FILE).exists()


def test_a_start_removes_what_a_killed_backup_left(data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / COPY_FILE).write_bytes(b"Anna")
    BlockingGallery.open(data_dir, "exact").close()
    assert not (data_dir / COPY_FILE).exists()


def test_a_full_disk_makes_no_backup_and_the_gallery_still_works(
    backup: Path, gallery: BlockingGallery, data_dir: Path
) -> None:
    assert backup.exists()
    with simulate_full_disk(4096), pytest.raises(StorageUnavailable):
        gallery.back_up()
    assert not (data_dir / COPY_FILE).exists()
    gallery.check()
    list(gallery.back_up().chunks())


def test_a_second_backup_at_the_same_time_is_refused(gallery: BlockingGallery) -> None:
    outcomes: list[type[Exception] | None] = []

    def back_up() -> None:
        try:
            list(gallery.back_up().chunks())
        except Overloaded as error:
            outcomes.append(type(error))
        else:
            outcomes.append(None)

    gallery.put_subject("default", "anna", None, {})
    gallery.enrol("default", "anna", make_faces(20_000), MODEL)
    threads = [threading.Thread(target=back_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count(None) >= 1
    assert Overloaded in outcomes


def cut_off(content: bytes) -> bytes:
    return content[: len(content) // 2]


def empty(_content: bytes) -> bytes:
    return b""


def flip_a_byte_of_the_database(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def without_archive(content: bytes) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        database = archive.extractfile(DATABASE)
        assert database
        return database.read()


def with_manifest(content: bytes, **changes: object) -> bytes:
    """Return the backup with other values in its manifest."""
    changed = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(content)) as archive, tarfile.open(fileobj=changed, mode="w") as target:
        for member in archive:
            source = archive.extractfile(member)
            assert source
            data = source.read()
            if member.name == MANIFEST:
                data = json.dumps(json.loads(data) | changes).encode()
            member.size = len(data)
            target.addfile(member, io.BytesIO(data))
    return changed.getvalue()


def of_a_newer_version(content: bytes) -> bytes:
    return with_manifest(content, revision="9999")


def with_other_counts(content: bytes) -> bytes:
    return with_manifest(content, faces=4)


def with_an_unknown_field(content: bytes) -> bytes:
    return with_manifest(content, comment="x")


def of_another_model(content: bytes) -> bytes:
    return with_manifest(content, models=["c" * 64])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (cut_off, "cut off"),
        (empty, "cut off"),
        (flip_a_byte_of_the_database, "damaged"),
        (without_archive, "is no backup"),
        (with_an_unknown_field, "is no backup"),
        (of_a_newer_version, r"newer version .*9999"),
        (with_other_counts, "not what its manifest says"),
        (of_another_model, "FACE_MODELS__EMBEDDER"),
    ],
)
def test_a_backup_that_is_damaged_or_does_not_fit_is_refused_and_leaves_nothing(
    backup: Path, tmp_path: Path, change: Callable[[bytes], bytes], message: str
) -> None:
    backup.write_bytes(change(backup.read_bytes()))
    with pytest.raises(BackupUnusable, match=message):
        restore(backup, tmp_path / "restored", MODELS)
    assert [path.name for path in (tmp_path / "restored").glob("*")] in ([], [LOCK_FILE])


def test_a_backup_without_faces_needs_no_model(gallery: BlockingGallery, tmp_path: Path) -> None:
    assert restore(save(gallery, tmp_path / "backup.tar"), tmp_path / "restored", frozenset()).models == ()


def test_a_directory_that_holds_a_gallery_is_not_overwritten(backup: Path, tmp_path: Path) -> None:
    BlockingGallery.open(tmp_path / "other", "exact").close()
    before = (tmp_path / "other" / DATABASE_FILE).read_bytes()
    with pytest.raises(BackupUnusable, match=r"is not empty: it holds gallery\.sqlite3, mark"):
        restore(backup, tmp_path / "other", MODELS)
    assert (tmp_path / "other" / DATABASE_FILE).read_bytes() == before


def test_a_directory_in_use_is_refused(backup: Path, data_dir: Path) -> None:
    with pytest.raises(DataDirectoryInUse):
        restore(backup, data_dir, MODELS)


def test_a_full_disk_restores_nothing(backup: Path, tmp_path: Path) -> None:
    with simulate_full_disk(4096), pytest.raises(BackupUnusable, match="cannot be written"):
        restore(backup, tmp_path / "restored", MODELS)
    assert [path.name for path in (tmp_path / "restored").iterdir()] == [LOCK_FILE]


def test_a_backup_holds_no_remains_of_deleted_subjects(backup: Path, gallery: BlockingGallery, tmp_path: Path) -> None:
    assert b"engines" in backup.read_bytes()
    with capture_logs():
        gallery.delete_subject("default", "anna")
    assert b"engines" not in save(gallery, tmp_path / "second.tar").read_bytes()
