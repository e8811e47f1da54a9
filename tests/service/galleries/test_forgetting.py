"""What is deleted is gone from the disk: neither the database nor its journal holds a byte of it."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from service.galleries.exact import ExactIndex
from service.galleries.gallery import DATABASE, Gallery
from service.galleries.records.database import Records
from tests.service.galleries.made_up import MODEL, faces, vectors

SECRET, OTHERS = faces(2), faces(20, seed=1)
NAME = "Anna Example"


def delete_face(gallery: Gallery) -> None:
    for face in gallery.faces("left", "anna", 10, None).items:
        gallery.delete_face("left", face.id)
    gallery.change_subject("left", "anna", {"name": None})
    gallery.delete_subject("left", "anna")


def delete_subject(gallery: Gallery) -> None:
    gallery.delete_subject("left", "anna")


def delete_collection(gallery: Gallery) -> None:
    gallery.delete_collection("left")


def fill(gallery: Gallery) -> None:
    """One person that is to be forgotten, before and after others that are not."""
    gallery.create_collection("left")
    gallery.put_subject("default", "berta", None, {})
    gallery.enrol("default", "berta", OTHERS[:10], MODEL)
    gallery.put_subject("left", "anna", NAME, {"of": NAME})
    gallery.enrol("left", "anna", SECRET, MODEL)
    gallery.enrol("default", "berta", OTHERS[10:], MODEL)


def traces(data_dir: Path) -> list[str]:
    """The files that hold the vectors, the photographs' hashes or the name."""
    wanted = [*(face.embedding.tobytes() for face in SECRET), *(face.image_sha256.encode() for face in SECRET)]
    wanted.append(NAME.encode())
    return [path.name for path in data_dir.iterdir() if any(piece in path.read_bytes() for piece in wanted)]


@pytest.mark.parametrize("forget", [delete_face, delete_subject, delete_collection])
def test_nothing_is_left_of_what_was_deleted(
    data_dir: Path, gallery: Gallery, forget: Callable[[Gallery], None]
) -> None:
    fill(gallery)
    assert traces(data_dir)
    forget(gallery)
    assert traces(data_dir) == []
    np.testing.assert_allclose(gallery.subject_vectors("default", "berta", MODEL), vectors(20, seed=1), atol=1e-7)


def test_nothing_is_left_after_the_gallery_is_closed(data_dir: Path) -> None:
    gallery = Gallery.open(data_dir, "exact")
    fill(gallery)
    delete_subject(gallery)
    gallery.close()
    assert traces(data_dir) == []
    assert sorted(path.name for path in data_dir.iterdir()) == [DATABASE, "lock"]


def test_a_reader_that_keeps_the_journal_fails_no_deletion_and_the_next_one_empties_it(tmp_path: Path) -> None:
    with closing(Records(tmp_path / DATABASE)) as records:
        records.upgrade()
        gallery = Gallery(records, ExactIndex)
        fill(gallery)
        with records.reading() as connection:
            connection.execute(text("PRAGMA busy_timeout=10"))
        with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM faces").fetchone()
            delete_subject(gallery)
            assert traces(tmp_path)
        (face,) = gallery.faces("default", "berta", 1, None).items
        gallery.delete_face("default", face.id)
        assert traces(tmp_path) == []


def test_what_a_crash_left_in_the_journal_is_gone_after_the_next_start(data_dir: Path, tmp_path: Path) -> None:
    gallery = Gallery.open(data_dir, "exact")
    fill(gallery)
    with closing(sqlite3.connect(data_dir / DATABASE)) as other:  # commits as the gallery does, and then nothing more
        other.execute("PRAGMA foreign_keys=ON")
        other.execute("PRAGMA secure_delete=ON")
        with other:
            other.execute("DELETE FROM collections WHERE id='left'")
        crashed = tmp_path / "crashed"
        crashed.mkdir()
        for path in data_dir.iterdir():
            (crashed / path.name).write_bytes(path.read_bytes())
    gallery.close()
    assert traces(crashed)
    gallery = Gallery.open(crashed, "exact")
    assert traces(crashed) == []
    assert gallery.size == 20
    gallery.close()
