"""Deleted data is removed from the disk: neither the database nor its journal contains it."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from service.gallery.indexes.exact import ExactIndex
from service.gallery.records.sqlite.data_directory import DATABASE_FILE
from service.gallery.records.sqlite.database import SqliteDatabase
from tests.service.gallery.random_faces import MODEL, make_crop, make_embeddings, make_faces
from tests.support.blocking_gallery import BlockingGallery

CROPS_TO_DELETE = [make_crop(1), make_crop(2)]
FACES_TO_DELETE = [replace(face, crop=crop) for face, crop in zip(make_faces(2), CROPS_TO_DELETE, strict=True)]
FACES_TO_KEEP = [replace(face, crop=make_crop(3)) for face in make_faces(20, seed=1)]
PART_BYTES = 64
"""A crop is stored in several pages of the database, so files are searched for parts of it."""
NAME_TO_DELETE = "Anna Example"


def delete_face(gallery: BlockingGallery) -> None:
    for face in gallery.list_faces("left", "anna", 10, None).items:
        gallery.delete_face("left", face.id)
    gallery.change_subject("left", "anna", {"name": None})
    gallery.delete_subject("left", "anna")


def delete_subject(gallery: BlockingGallery) -> None:
    gallery.delete_subject("left", "anna")


def delete_collection(gallery: BlockingGallery) -> None:
    gallery.delete_collection("left")


def merge_subject(gallery: BlockingGallery) -> None:
    for face in gallery.list_faces("left", "anna", 10, None).items:
        gallery.delete_face("left", face.id)
    gallery.put_subject("left", "carla", None, {})
    gallery.merge_subjects("left", "carla", "anna")


def enrol_subjects(gallery: BlockingGallery) -> None:
    """Enrol a subject that will be deleted, before and after faces of a subject that is kept."""
    gallery.create_collection("left")
    gallery.put_subject("default", "berta", None, {})
    gallery.enrol("default", "berta", FACES_TO_KEEP[:10], MODEL)
    gallery.put_subject("left", "anna", NAME_TO_DELETE, {"of": NAME_TO_DELETE})
    gallery.enrol("left", "anna", FACES_TO_DELETE, MODEL)
    gallery.enrol("default", "berta", FACES_TO_KEEP[10:], MODEL)


def files_with_deleted_data(data_dir: Path) -> list[str]:
    """Return the names of the files that contain the vectors, the crops, the hashes of the photographs or the name."""
    deleted_data = [
        *(face.embedding.tobytes() for face in FACES_TO_DELETE),
        *(face.image_sha256.encode() for face in FACES_TO_DELETE),
    ]
    deleted_data += parts_of_crops()
    deleted_data.append(NAME_TO_DELETE.encode())
    return [path.name for path in data_dir.iterdir() if any(part in path.read_bytes() for part in deleted_data)]


def parts_of_crops() -> list[bytes]:
    return [
        crop.picture[start : start + PART_BYTES]
        for crop in CROPS_TO_DELETE
        for start in range(0, len(crop.picture), PART_BYTES)
    ]


def test_no_file_contains_crops_that_were_deleted_alone(data_dir: Path, gallery: BlockingGallery) -> None:
    enrol_subjects(gallery)
    gallery.delete_crops("left")
    stored = b"".join(path.read_bytes() for path in data_dir.iterdir())
    assert not [part for part in parts_of_crops() if part in stored]
    assert FACES_TO_DELETE[0].embedding.tobytes() in stored


@pytest.mark.parametrize("delete", [delete_face, delete_subject, delete_collection, merge_subject])
def test_no_file_contains_deleted_data(
    data_dir: Path, gallery: BlockingGallery, delete: Callable[[BlockingGallery], None]
) -> None:
    enrol_subjects(gallery)
    assert files_with_deleted_data(data_dir)
    delete(gallery)
    assert files_with_deleted_data(data_dir) == []
    np.testing.assert_allclose(
        gallery.subject_embeddings("default", "berta", MODEL), make_embeddings(20, seed=1), atol=1e-7
    )


def test_no_file_contains_deleted_data_after_the_gallery_is_closed(data_dir: Path) -> None:
    gallery = BlockingGallery.open(data_dir, "exact")
    enrol_subjects(gallery)
    delete_subject(gallery)
    gallery.close()
    assert files_with_deleted_data(data_dir) == []
    assert sorted(path.name for path in data_dir.iterdir()) == [DATABASE_FILE, "lock", "mark"]


def test_a_deletion_succeeds_while_a_reader_uses_the_journal_and_the_next_deletion_empties_it(tmp_path: Path) -> None:
    with closing(SqliteDatabase(tmp_path / DATABASE_FILE)) as records:
        records.migrate()
        gallery = BlockingGallery.from_database(records, ExactIndex)
        enrol_subjects(gallery)
        with records.reading() as connection:
            connection.execute(text("PRAGMA busy_timeout=10"))
        with closing(sqlite3.connect(tmp_path / DATABASE_FILE, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM faces").fetchone()
            delete_subject(gallery)
            assert files_with_deleted_data(tmp_path)
        (face,) = gallery.list_faces("default", "berta", 1, None).items
        gallery.delete_face("default", face.id)
        assert files_with_deleted_data(tmp_path) == []


def test_a_start_removes_deleted_data_that_a_crash_left_in_the_journal(data_dir: Path, tmp_path: Path) -> None:
    gallery = BlockingGallery.open(data_dir, "exact")
    enrol_subjects(gallery)
    # This connection commits as the gallery does, but does not empty the journal. A crash leaves the same state.
    with closing(sqlite3.connect(data_dir / DATABASE_FILE)) as connection:
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA secure_delete=ON")
        with connection:
            connection.execute("DELETE FROM collections WHERE id='left'")
        crashed_dir = tmp_path / "crashed"
        crashed_dir.mkdir()
        for path in data_dir.iterdir():
            (crashed_dir / path.name).write_bytes(path.read_bytes())
    gallery.close()
    assert files_with_deleted_data(crashed_dir)
    gallery = BlockingGallery.open(crashed_dir, "exact")
    assert files_with_deleted_data(crashed_dir) == []
    assert gallery.face_count == 20
    gallery.close()
