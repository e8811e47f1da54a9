"""kill -9 while a gallery is encrypted, or while its key is replaced: nothing is lost, and no plain byte stays."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from service.gallery.records.encryption.key_file import read_key_file
from service.gallery.records.sqlite.data_directory import DATABASE_FILE
from service.gallery.records.sqlite.reading_beside import stored_key_id
from tests.service.gallery.encryption.enrolled_people import check_people, enrol_people, files_with_secrets
from tests.service.gallery.random_faces import MODEL, make_faces
from tests.support.blocking_gallery import BlockingGallery

ROOT = Path(__file__).parents[4]
BATCHES, FACES_OF_BATCH = 8, 1000

pytestmark = pytest.mark.slow


def enrol_many(data_dir: Path) -> None:
    """Enrol the people, and before them so many faces that encryption takes a while."""
    gallery = BlockingGallery.open(data_dir, "exact")
    gallery.put_subject("default", "many", None, {})
    for batch in range(BATCHES):
        gallery.enrol("default", "many", make_faces(FACES_OF_BATCH, seed=1000 + batch), MODEL)
    enrol_people(gallery)
    gallery.close()


def start(action: str, data_dir: Path, key_files: Sequence[Path]) -> subprocess.Popen[str]:
    program = "tests.service.gallery.encryption.encrypt_until_killed"
    command = [sys.executable, "-u", "-m", program, action, str(data_dir), *map(str, key_files)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("kill_at", ["gallery_encryption_started", "faces=3000", "faces=8022", "gallery_encrypted"])
def test_a_kill_while_a_gallery_is_encrypted_loses_nothing_and_leaves_no_plain_byte(
    data_dir: Path, key_file: Path, kill_at: str
) -> None:
    enrol_many(data_dir)
    with start("encrypt", data_dir, [key_file]) as process:
        assert process.stdout
        assert any(kill_at in line for line in process.stdout)
        process.kill()
    assert stored_key_id(data_dir / DATABASE_FILE) in {None, read_key_file(key_file).id}
    gallery = BlockingGallery.open(data_dir, "exact", key_file)
    assert gallery.count_faces("default") == BATCHES * FACES_OF_BATCH + 22
    gallery.delete_subject("default", "many")
    check_people(gallery)
    gallery.close()
    assert files_with_secrets(data_dir) == []


@pytest.mark.parametrize("delay_ms", [0, 20, 100])
def test_a_kill_behind_the_last_encrypted_face_loses_nothing_and_leaves_no_plain_byte(
    data_dir: Path, key_file: Path, delay_ms: int
) -> None:
    """The transaction is then committed, or the file is being written again, or all is done."""
    enrol_many(data_dir)
    with start("encrypt", data_dir, [key_file]) as process:
        assert process.stdout
        assert any("faces=8022" in line for line in process.stdout)
        time.sleep(delay_ms / 1000)  # each delay is another moment of what follows
        process.kill()
    gallery = BlockingGallery.open(data_dir, "exact", key_file)
    assert gallery.count_faces("default") == BATCHES * FACES_OF_BATCH + 22
    gallery.close()
    assert files_with_secrets(data_dir) == []


def test_a_kill_while_the_key_is_replaced_leaves_the_old_key_or_the_new_one(
    data_dir: Path, key_file: Path, other_key_file: Path
) -> None:
    gallery = BlockingGallery.open(data_dir, "exact", key_file)
    enrol_people(gallery)
    gallery.close()
    keys = {read_key_file(file).id: file for file in (key_file, other_key_file)}
    for delay_ms in (0, 5, 10, 15, 20, 30, 40, 60, 80, 100):
        old = keys[stored_key_id(data_dir / DATABASE_FILE) or ""]
        new = other_key_file if old == key_file else key_file
        with start("rotate", data_dir, [old, new]) as process:
            assert process.stdout
            assert process.stdout.readline() == "started\n"
            time.sleep(delay_ms / 1000)  # each delay is another moment of the replacement
            process.kill()
        gallery = BlockingGallery.open(data_dir, "exact", keys[stored_key_id(data_dir / DATABASE_FILE) or ""])
        check_people(gallery)
        gallery.close()
