"""Who can write the files, and has no key, cannot make the service store plain values or accept values of their own."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from service.domain.command_errors import DataDirectoryUnusable, KeyFileUnusable
from service.domain.errors import StorageLost
from service.gallery.records.sqlite.data_directory import DATABASE_FILE
from tests.service.gallery.encryption.enrolled_people import SUBJECTS, check_people, enrol_people
from tests.service.gallery.random_faces import MODEL, make_faces
from tests.support.blocking_gallery import BlockingGallery


def fill(data_dir: Path, key_file: Path, collection: str = "default") -> None:
    gallery = BlockingGallery.open(data_dir, "exact", key_file)
    enrol_people(gallery, collection)
    gallery.close()


def change(data_dir: Path, statement: str, *parameters: object) -> None:
    with closing(sqlite3.connect(data_dir / DATABASE_FILE)) as connection, connection:
        connection.execute(statement, parameters)


def stored(data_dir: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(data_dir / DATABASE_FILE)) as connection:
        return connection.execute(query).fetchall()


RECORDS = "SELECT id, name, metadata FROM subjects ORDER BY key"
EMBEDDINGS = "SELECT id, image_sha256, embedding FROM faces ORDER BY number"
DATA_KEYS = "SELECT id, data_key FROM collections ORDER BY key"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE collections SET data_key = NULL",
        "UPDATE storage SET encryption_key = NULL",
        "UPDATE storage SET encryption_key = char(27) || '[2J'",
        "UPDATE storage SET encryption_key = 'ABCDEF'",
    ],
)
@pytest.mark.parametrize("start", ["with the key", "without a key"])
def test_a_gallery_that_is_encrypted_in_part_is_refused_and_not_changed(
    data_dir: Path, key_file: Path, statement: str, start: str
) -> None:
    fill(data_dir, key_file)
    change(data_dir, statement)
    before = [stored(data_dir, query) for query in (RECORDS, EMBEDDINGS, DATA_KEYS)]
    with pytest.raises(DataDirectoryUnusable, match=r"encrypted in part|id of its encryption key") as raised:
        BlockingGallery.open(data_dir, "exact", key_file if start == "with the key" else None)
    assert "\x1b" not in str(raised.value)
    assert [stored(data_dir, query) for query in (RECORDS, EMBEDDINGS, DATA_KEYS)] == before


def test_a_collection_that_loses_its_data_key_while_the_service_runs_is_not_written_plain(
    data_dir: Path, key_file: Path
) -> None:
    gallery = BlockingGallery.open(data_dir, "exact", key_file)
    gallery.create_collection("default")
    change(data_dir, "UPDATE collections SET data_key = NULL")
    with pytest.raises(StorageLost):
        gallery.put_subject("default", "ada", "Ada", {})
    gallery.close()
    assert stored(data_dir, "SELECT count(*) FROM subjects") == [(0,)]


def test_a_database_with_a_trigger_is_refused(data_dir: Path, key_file: Path) -> None:
    fill(data_dir, key_file)
    change(
        data_dir,
        "CREATE TRIGGER t AFTER INSERT ON collections BEGIN UPDATE collections SET data_key = NULL; END",
    )
    with pytest.raises(DataDirectoryUnusable, match="triggers or views"):
        BlockingGallery.open(data_dir, "exact", key_file)


def test_a_collection_of_another_gallery_with_the_same_key_file_is_damage(tmp_path: Path, key_file: Path) -> None:
    fill(tmp_path / "one", key_file)
    fill(tmp_path / "other", key_file)
    ((_, data_key),) = stored(tmp_path / "other", DATA_KEYS)
    change(tmp_path / "one", "UPDATE collections SET data_key = ?", data_key)
    with pytest.raises(DataDirectoryUnusable, match="the data key of a collection is damaged"):
        BlockingGallery.open(tmp_path / "one", "exact", key_file)


def test_a_second_row_with_another_text_of_the_same_id_is_damage(data_dir: Path, key_file: Path) -> None:
    gallery = BlockingGallery.open(data_dir, "exact", key_file)
    gallery.create_collection("default")
    gallery.put_subject("default", "ada", "Ada", {})
    change(
        data_dir,
        "INSERT INTO subjects (collection, id, name, metadata, created_at) "
        "SELECT collection, id || char(10), name, metadata, created_at FROM subjects",
    )
    with pytest.raises(StorageLost, match="a stored value is damaged"):
        gallery.list_subjects("default", 10, None)
    gallery.close()


@pytest.mark.parametrize("value", ["text", 7, b""])
def test_an_embedding_of_another_type_is_damage(data_dir: Path, key_file: Path, value: object) -> None:
    fill(data_dir, key_file)
    change(data_dir, "UPDATE faces SET embedding = ? WHERE number = (SELECT min(number) FROM faces)", value)
    with pytest.raises(DataDirectoryUnusable, match="a stored embedding is damaged"):
        BlockingGallery.open(data_dir, "exact", key_file)


@pytest.mark.parametrize("value", ["text", 7, b""])
def test_a_data_key_of_another_type_is_damage(data_dir: Path, key_file: Path, value: object) -> None:
    fill(data_dir, key_file)
    change(data_dir, "UPDATE collections SET data_key = ?", value)
    with pytest.raises(DataDirectoryUnusable, match="the data key of a collection is damaged"):
        BlockingGallery.open(data_dir, "exact", key_file)


@pytest.mark.parametrize("statement", ["UPDATE subjects SET metadata = '{'", "UPDATE subjects SET created_at = '{'"])
def test_a_value_that_cannot_be_read_is_damage_in_a_plain_gallery_too(data_dir: Path, statement: str) -> None:
    gallery = BlockingGallery.open(data_dir, "exact")
    gallery.create_collection("default")
    gallery.put_subject("default", "ada", "Ada", {})
    change(data_dir, statement)
    with pytest.raises(StorageLost, match="a stored value is damaged"):
        gallery.list_subjects("default", 10, None)
    gallery.close()


def test_a_key_file_in_the_data_directory_is_refused(data_dir: Path, key_file: Path) -> None:
    data_dir.mkdir(parents=True, exist_ok=True)
    inside = key_file.rename(data_dir / "key")
    with pytest.raises(KeyFileUnusable, match="in the data directory"):
        BlockingGallery.open(data_dir, "exact", inside)
    inside.rename(key_file)


def test_a_gallery_that_was_not_changed_is_read(data_dir: Path, key_file: Path) -> None:
    fill(data_dir, key_file)
    gallery = BlockingGallery.open(data_dir, "exact", key_file)
    check_people(gallery)
    assert gallery.enrol("default", next(iter(SUBJECTS)), make_faces(1, seed=77), MODEL)
    gallery.close()
