"""One process uses the data directory, and only its user can read it."""

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.domain.command_errors import DataDirectoryInUse, DataDirectoryUnusable
from service.gallery.records.sqlite.data_directory import DATABASE_FILE
from tests.service.gallery.random_faces import MODEL, make_faces
from tests.support.blocking_gallery import BlockingGallery

NOBODY_UID = 65534


@contextmanager
def without_privileges() -> Iterator[None]:
    """Run as an ordinary user, because root can write everywhere."""
    if os.geteuid() == 0:
        os.seteuid(NOBODY_UID)
        try:
            yield
        finally:
            os.seteuid(0)
    else:
        yield


@pytest.fixture
def public_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_the_owner_can_read_the_data(data_dir: Path, gallery: BlockingGallery) -> None:
    gallery.put_subject("default", "anna", None, {})
    gallery.enrol("default", "anna", make_faces(1), MODEL)
    assert mode(data_dir) == 0o700
    files = {path.name: mode(path) for path in data_dir.iterdir()}
    names = [DATABASE_FILE, f"{DATABASE_FILE}-wal", f"{DATABASE_FILE}-shm", "lock", "mark"]
    assert files == dict.fromkeys(names, 0o600)


@pytest.mark.usefixtures("gallery")
def test_a_second_gallery_on_one_directory_is_refused(data_dir: Path) -> None:
    with pytest.raises(
        DataDirectoryInUse, match=r"^Another process uses .*data\. Stop it, or set FACE_DATA_DIR"
    ) as raised:
        BlockingGallery.open(data_dir, "exact")
    assert "\n" not in str(raised.value)


def test_a_directory_of_another_process_is_refused_until_that_process_ends(data_dir: Path) -> None:
    script = (
        "import sys, pathlib; from service.gallery.opening import open_gallery\n"
        f"with open_gallery(pathlib.Path({str(data_dir)!r}), 'exact'): print('open', flush=True); sys.stdin.read()"
    )
    other_process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with other_process:
        assert other_process.stdout
        assert b"open\n" in iter(other_process.stdout.readline, b"")  # after the lines of its log
        with pytest.raises(DataDirectoryInUse):
            BlockingGallery.open(data_dir, "exact")
        other_process.kill()
    BlockingGallery.open(data_dir, "exact").close()


def test_the_directory_can_be_opened_again_after_the_gallery_is_closed(data_dir: Path) -> None:
    for _ in range(2):
        BlockingGallery.open(data_dir, "exact").close()


def test_the_directory_can_be_opened_after_a_failed_start(data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / DATABASE_FILE).write_bytes(b"not a database " * 100)
    for _ in range(2):
        with pytest.raises(DataDirectoryUnusable, match="file is not a database"):
            BlockingGallery.open(data_dir, "exact")
    (data_dir / DATABASE_FILE).unlink()
    BlockingGallery.open(data_dir, "exact").close()


def test_a_read_only_directory_is_refused(public_folder: Path) -> None:
    public_folder.chmod(0o555)
    with without_privileges(), pytest.raises(DataDirectoryUnusable, match=r"Permission denied.*FACE_DATA_DIR"):
        BlockingGallery.open(public_folder, "exact")
    public_folder.chmod(0o755)
    assert list(public_folder.iterdir()) == []


def test_a_directory_that_cannot_be_created_is_refused(public_folder: Path) -> None:
    public_folder.chmod(0o555)
    with without_privileges(), pytest.raises(DataDirectoryUnusable, match="Permission denied"):
        BlockingGallery.open(public_folder / "data", "exact")


def test_a_file_instead_of_the_directory_is_refused(data_dir: Path) -> None:
    data_dir.touch()
    with pytest.raises(DataDirectoryUnusable, match="File exists"):
        BlockingGallery.open(data_dir, "exact")


def test_a_folder_instead_of_the_database_is_refused(data_dir: Path) -> None:
    (data_dir / DATABASE_FILE).mkdir(parents=True)
    with pytest.raises(DataDirectoryUnusable, match="Is a directory"):
        BlockingGallery.open(data_dir, "exact")


def test_the_path_can_contain_any_character(tmp_path: Path) -> None:
    data_dir = tmp_path / "50% of ?x=1&y #2 \N{SNOWMAN}"
    gallery = BlockingGallery.open(data_dir, "exact")
    gallery.create_collection("left")
    gallery.close()
    assert (data_dir / DATABASE_FILE).exists()
