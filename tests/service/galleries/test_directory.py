"""One process owns the data directory, and nobody else may look into it."""

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.errors import DataDirectoryInUse, DataDirectoryUnusable
from service.galleries.gallery import DATABASE, Gallery
from tests.service.galleries.made_up import MODEL, faces

NOBODY = 65534


@contextmanager
def without_privileges() -> Iterator[None]:
    """Root may write anywhere, so root becomes somebody else."""
    if os.geteuid() == 0:
        os.seteuid(NOBODY)
        try:
            yield
        finally:
            os.seteuid(0)
    else:
        yield


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_written_is_for_the_owner_alone(data_dir: Path, gallery: Gallery) -> None:
    gallery.put_subject("default", "anna", None, {})
    gallery.enrol("default", "anna", faces(1), MODEL)
    assert mode(data_dir) == 0o700
    files = {path.name: mode(path) for path in data_dir.iterdir()}
    assert files == dict.fromkeys([DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", "lock"], 0o600)


@pytest.mark.usefixtures("gallery")
def test_a_second_gallery_on_one_directory_is_refused(data_dir: Path) -> None:
    with pytest.raises(
        DataDirectoryInUse, match=r"^Another process uses .*data\. Stop it, or set FACE_DATA_DIR"
    ) as told:
        Gallery.open(data_dir, "exact")
    assert "\n" not in str(told.value)


def test_another_process_keeps_this_one_out_until_it_ends(data_dir: Path) -> None:
    script = (
        "import sys, pathlib; from service.galleries.gallery import Gallery; "
        f"gallery = Gallery.open(pathlib.Path({str(data_dir)!r}), 'exact'); print('open', flush=True); sys.stdin.read()"
    )
    owner = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with owner:
        assert owner.stdout
        assert owner.stdout.readline() == b"open\n"
        with pytest.raises(DataDirectoryInUse):
            Gallery.open(data_dir, "exact")
        owner.kill()
    Gallery.open(data_dir, "exact").close()


def test_the_directory_is_free_once_the_gallery_is_closed(data_dir: Path) -> None:
    for _ in range(2):
        Gallery.open(data_dir, "exact").close()


def test_the_directory_is_free_after_a_start_that_failed(data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / DATABASE).write_bytes(b"not a database " * 100)
    for _ in range(2):
        with pytest.raises(DataDirectoryUnusable, match="file is not a database"):
            Gallery.open(data_dir, "exact")
    (data_dir / DATABASE).unlink()
    Gallery.open(data_dir, "exact").close()


def test_a_read_only_directory_is_told(open_to_all: Path) -> None:
    open_to_all.chmod(0o555)
    with without_privileges(), pytest.raises(DataDirectoryUnusable, match=r"Permission denied.*FACE_DATA_DIR"):
        Gallery.open(open_to_all, "exact")
    open_to_all.chmod(0o755)
    assert list(open_to_all.iterdir()) == []


def test_a_directory_that_cannot_be_made_is_told(open_to_all: Path) -> None:
    open_to_all.chmod(0o555)
    with without_privileges(), pytest.raises(DataDirectoryUnusable, match="Permission denied"):
        Gallery.open(open_to_all / "data", "exact")


def test_a_file_in_the_place_of_the_directory_is_told(data_dir: Path) -> None:
    data_dir.touch()
    with pytest.raises(DataDirectoryUnusable, match="File exists"):
        Gallery.open(data_dir, "exact")


def test_a_folder_in_the_place_of_the_database_is_told(data_dir: Path) -> None:
    (data_dir / DATABASE).mkdir(parents=True)
    with pytest.raises(DataDirectoryUnusable, match="Is a directory"):
        Gallery.open(data_dir, "exact")


def test_the_path_may_hold_any_letter(tmp_path: Path) -> None:
    odd = tmp_path / "50% of ?x=1&y #2 \N{SNOWMAN}"
    gallery = Gallery.open(odd, "exact")
    gallery.create_collection("left")
    gallery.close()
    assert (odd / DATABASE).exists()
