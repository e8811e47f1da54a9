"""An encrypted gallery answers as a plain one, its files tell a thief nothing, and it does not open without its key."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from service.domain.command_errors import DataDirectoryInUse, KeyFileUnusable
from service.domain.errors import StorageLost
from service.gallery.opening import rotate_encryption_key
from service.gallery.records.encryption.key_file import read_key_file
from service.gallery.records.sqlite.data_directory import DATABASE_FILE
from tests.service.gallery.encryption.enrolled_people import (
    SUBJECTS,
    check_people,
    enrol_people,
    files_with_secrets,
    plain_secrets,
)
from tests.service.gallery.random_faces import MODEL, make_embeddings
from tests.support.blocking_gallery import BlockingGallery

PROBES = make_embeddings(50, seed=999)


def content(data_dir: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in data_dir.iterdir() if not path.name.endswith("-shm")}


@pytest.fixture
def plain_twin(tmp_path: Path) -> Iterator[BlockingGallery]:
    gallery = BlockingGallery.open(tmp_path / "plain", "exact")
    enrol_people(gallery)
    yield gallery
    gallery.close()


def test_no_file_of_a_running_or_ended_encrypted_gallery_holds_an_id_a_name_a_hash_or_a_vector(
    data_dir: Path, key_file: Path
) -> None:
    gallery = BlockingGallery.open(data_dir, "exact", key_file)
    enrol_people(gallery)
    assert files_with_secrets(data_dir) == []
    gallery.close()
    assert files_with_secrets(data_dir) == []
    gallery = BlockingGallery.open(data_dir, "exact", key_file)
    check_people(gallery)
    assert files_with_secrets(data_dir) == []
    gallery.close()


def test_a_plain_gallery_holds_all_of_these_secrets(plain_twin: BlockingGallery, tmp_path: Path) -> None:
    check_people(plain_twin)
    found = b"".join(content(tmp_path / "plain").values())
    assert [secret for secret in plain_secrets() if secret not in found] == []


def test_searches_find_the_same_subjects_at_the_same_distances(
    encrypted_gallery: BlockingGallery, plain_twin: BlockingGallery
) -> None:
    enrol_people(encrypted_gallery)
    (found, searched), (expected, _) = (
        gallery.search("default", PROBES, 10, MODEL) for gallery in (encrypted_gallery, plain_twin)
    )
    assert searched == 2 * (len(SUBJECTS) - 1)
    for row, expected_row in zip(found, expected, strict=True):
        assert [(one.subject, one.name) for one in row] == [(one.subject, one.name) for one in expected_row]
        np.testing.assert_allclose(
            [one.distance for one in row], [one.distance for one in expected_row], rtol=0, atol=1e-5
        )


def test_embeddings_for_verification_and_clustering_are_exactly_those_of_a_plain_gallery(
    encrypted_gallery: BlockingGallery, plain_twin: BlockingGallery
) -> None:
    enrol_people(encrypted_gallery)
    subject = list(SUBJECTS)[-1]
    found, expected = (
        (gallery.subject_embeddings("default", subject, MODEL), gallery.references("default", MODEL)[1])
        for gallery in (encrypted_gallery, plain_twin)
    )
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


@pytest.mark.parametrize("ended", ["stopped", "killed"])
def test_a_start_without_the_key_or_with_another_key_is_refused_and_changes_nothing(
    data_dir: Path, key_file: Path, other_key_file: Path, tmp_path: Path, ended: str
) -> None:
    gallery = BlockingGallery.open(data_dir, "exact", key_file)
    enrol_people(gallery)
    if ended == "killed":  # a copy of the files of a running service is what a kill leaves
        copy = tmp_path / "killed"
        copy.mkdir()
        for name, found in content(data_dir).items():
            (copy / name).write_bytes(found)
        gallery.close()
        data_dir = copy
    else:
        gallery.close()
    before = content(data_dir)
    key, other = read_key_file(key_file).id, read_key_file(other_key_file).id
    for file, reason in ((None, "no key is set"), (other_key_file, f"holds the key {other}")):
        with pytest.raises(KeyFileUnusable, match=f"encrypted with the key {key}, and .*{reason}") as raised:
            BlockingGallery.open(data_dir, "exact", file)
        assert "FACE_GALLERY__ENCRYPTION_KEY_FILE" in str(raised.value)
        assert content(data_dir) == before
    gallery = BlockingGallery.open(data_dir, "exact", key_file)
    check_people(gallery)
    gallery.close()


def test_a_gallery_without_files_is_not_made_if_the_key_file_is_unusable(data_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyFileUnusable):
        BlockingGallery.open(data_dir, "exact", tmp_path / "missing")
    assert not data_dir.exists()


def test_a_plain_gallery_is_encrypted_by_the_first_start_with_a_key(data_dir: Path, key_file: Path) -> None:
    gallery = BlockingGallery.open(data_dir, "exact")
    for collection in ("default", "left"):
        enrol_people(gallery, collection)
    gallery.close()
    assert files_with_secrets(data_dir) == [DATABASE_FILE]
    with capture_logs() as lines:
        gallery = BlockingGallery.open(data_dir, "exact", key_file)
    assert files_with_secrets(data_dir) == []
    assert [line["event"] for line in lines if line["event"].startswith("gallery_encrypt")] == [
        "gallery_encryption_started",
        *["gallery_encryption"] * 2,
        "gallery_encrypted",
    ]
    for collection in ("default", "left"):
        check_people(gallery, collection)
    gallery.close()
    assert files_with_secrets(data_dir) == []


def test_an_encrypted_gallery_is_not_encrypted_again(data_dir: Path, key_file: Path) -> None:
    BlockingGallery.open(data_dir, "exact", key_file).close()
    with capture_logs() as lines:
        BlockingGallery.open(data_dir, "exact", key_file).close()
    assert not [line for line in lines if "encrypt" in line["event"]]


def test_the_data_key_of_a_deleted_collection_is_gone_from_the_disk(data_dir: Path, key_file: Path) -> None:
    gallery = BlockingGallery.open(data_dir, "exact", key_file)
    enrol_people(gallery, "left")
    key = data_key(data_dir, "left")
    assert any(key in found for found in content(data_dir).values())
    gallery.delete_collection("left")
    gallery.close()
    assert not any(key in found for found in content(data_dir).values())


def test_a_collection_that_is_made_again_has_another_data_key(
    encrypted_gallery: BlockingGallery, data_dir: Path
) -> None:
    before = data_key(data_dir, "default")
    encrypted_gallery.delete_collection("default")
    assert before != data_key(data_dir, "default")


def test_a_vector_that_was_put_in_the_place_of_another_is_damage(
    encrypted_gallery: BlockingGallery, data_dir: Path
) -> None:
    enrol_people(encrypted_gallery)
    with closing(sqlite3.connect(data_dir / DATABASE_FILE)) as connection, connection:
        connection.execute("UPDATE faces SET embedding=(SELECT embedding FROM faces ORDER BY number DESC LIMIT 1)")
    with pytest.raises(StorageLost, match="embedding is damaged"):
        encrypted_gallery.subject_embeddings("default", next(iter(SUBJECTS)), MODEL)


def data_key(data_dir: Path, collection: str) -> bytes:
    """Return the wrapped data key of a collection."""
    with closing(sqlite3.connect(data_dir / DATABASE_FILE)) as connection:
        row = connection.execute("SELECT data_key FROM collections WHERE id=?", (collection,)).fetchone()
    return bytes(row[0])


def test_after_the_key_is_replaced_the_gallery_opens_with_the_new_key_only(
    data_dir: Path, key_file: Path, other_key_file: Path
) -> None:
    gallery = BlockingGallery.open(data_dir, "exact", key_file)
    enrol_people(gallery)
    gallery.close()
    old_data_key = data_key(data_dir, "default")
    assert rotate_encryption_key(data_dir, key_file, other_key_file) == 1
    assert not any(old_data_key in found for found in content(data_dir).values())
    with pytest.raises(KeyFileUnusable, match="is encrypted with the key"):
        BlockingGallery.open(data_dir, "exact", key_file)
    gallery = BlockingGallery.open(data_dir, "exact", other_key_file)
    check_people(gallery)
    gallery.close()


def test_the_records_stay_as_they_are_when_the_key_is_replaced(
    data_dir: Path, key_file: Path, other_key_file: Path
) -> None:
    gallery = BlockingGallery.open(data_dir, "exact", key_file)
    enrol_people(gallery)
    gallery.close()
    before = stored_faces(data_dir)
    rotate_encryption_key(data_dir, key_file, other_key_file)
    assert stored_faces(data_dir) == before


def stored_faces(data_dir: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(data_dir / DATABASE_FILE)) as connection:
        return connection.execute("SELECT id, image_sha256, embedding FROM faces ORDER BY number").fetchall()


def test_the_key_is_not_replaced_without_the_old_key_or_in_a_plain_gallery(
    data_dir: Path, key_file: Path, other_key_file: Path
) -> None:
    with pytest.raises(KeyFileUnusable, match="no encrypted gallery"):
        rotate_encryption_key(data_dir, key_file, other_key_file)
    assert not data_dir.exists()
    BlockingGallery.open(data_dir, "exact").close()
    with pytest.raises(KeyFileUnusable, match="no encrypted gallery"):
        rotate_encryption_key(data_dir, key_file, other_key_file)
    BlockingGallery.open(data_dir, "exact", key_file).close()
    before = content(data_dir)
    with pytest.raises(KeyFileUnusable, match="is encrypted with the key"):
        rotate_encryption_key(data_dir, other_key_file, key_file)
    assert content(data_dir) == before


def test_the_key_is_not_replaced_while_a_service_uses_the_gallery(
    encrypted_gallery: BlockingGallery, data_dir: Path, key_file: Path, other_key_file: Path
) -> None:
    encrypted_gallery.check()
    with pytest.raises(DataDirectoryInUse, match="Another process uses"):
        rotate_encryption_key(data_dir, key_file, other_key_file)
