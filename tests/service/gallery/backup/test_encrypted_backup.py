"""A backup of an encrypted gallery needs the key of the gallery, and an encrypted file needs the key of the file."""

from pathlib import Path

import pytest

from service.access.secret_file import write_encryption_key
from service.domain.command_errors import BackupUnusable, KeyFileUnusable
from service.gallery.backup.encrypted_file import encrypting
from service.gallery.backup.restore import BackupKeys, restore
from service.gallery.records.encryption.key_file import OperatorKey, read_key_file
from service.gallery.records.sqlite.data_directory import DATABASE_FILE, LOCK_FILE
from tests.service.gallery.backup.test_backup import MODELS, save, with_manifest
from tests.service.gallery.encryption.enrolled_people import check_people, enrol_people, files_with_secrets
from tests.support.blocking_gallery import BlockingGallery

FILE_KEY = OperatorKey.of(bytes(range(32)))


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    write_encryption_key(tmp_path / "key")
    return tmp_path / "key"


@pytest.fixture
def plain_backup(gallery: BlockingGallery, tmp_path: Path) -> Path:
    enrol_people(gallery)
    return save(gallery, tmp_path / "plain.tar")


def encrypt_file(plain: Path) -> Path:
    folder = plain.parent / "encrypted"
    folder.mkdir()
    with (folder / plain.name).open("wb") as target, encrypting(target, FILE_KEY) as sink:
        sink.writelines([plain.read_bytes()])
    return folder / plain.name


def test_a_backup_of_an_encrypted_gallery_tells_a_thief_nothing(tmp_path: Path, key_file: Path) -> None:
    gallery = BlockingGallery.open(tmp_path / "data", "exact", key_file)
    enrol_people(gallery)
    (tmp_path / "backups").mkdir()
    save(gallery, tmp_path / "backups" / "backup.tar")
    gallery.close()
    assert files_with_secrets(tmp_path / "backups") == []


def test_a_backup_of_an_encrypted_gallery_is_restored_with_its_key(tmp_path: Path, key_file: Path) -> None:
    gallery = BlockingGallery.open(tmp_path / "data", "exact", key_file)
    enrol_people(gallery)
    file = save(gallery, tmp_path / "backup.tar")
    gallery.close()
    key = read_key_file(key_file).id
    manifest = restore(file, tmp_path / "restored", MODELS, BackupKeys(gallery=key))
    assert manifest.encryption_key == key
    assert files_with_secrets(tmp_path / "restored") == []
    restored = BlockingGallery.open(tmp_path / "restored", "exact", key_file)
    check_people(restored)
    restored.close()


def test_a_backup_of_an_encrypted_gallery_is_refused_without_its_key_before_anything_is_written(
    tmp_path: Path, key_file: Path
) -> None:
    gallery = BlockingGallery.open(tmp_path / "data", "exact", key_file)
    file = save(gallery, tmp_path / "backup.tar")
    gallery.close()
    for keys, reason in ((BackupKeys(), "no key is set"), (BackupKeys(gallery="0" * 16), "holds the key 0000")):
        with pytest.raises(KeyFileUnusable, match=reason):
            restore(file, tmp_path / "restored", MODELS, keys)
    assert not (tmp_path / "restored").exists()


def test_a_backup_that_names_another_key_than_its_database_is_refused(gallery: BlockingGallery, tmp_path: Path) -> None:
    file = save(gallery, tmp_path / "backup.tar")
    file.write_bytes(with_manifest(file.read_bytes(), encryption_key="0" * 16))
    with pytest.raises(BackupUnusable, match="not what its manifest says"):
        restore(file, tmp_path / "restored", MODELS, BackupKeys(gallery="0" * 16))
    assert [path.name for path in (tmp_path / "restored").iterdir()] == [LOCK_FILE]


def test_an_encrypted_file_is_restored_with_its_key(plain_backup: Path, tmp_path: Path) -> None:
    file = encrypt_file(plain_backup)
    assert files_with_secrets(file.parent) == []
    restore(file, tmp_path / "restored", MODELS, BackupKeys(file=FILE_KEY))
    restored = BlockingGallery.open(tmp_path / "restored", "exact")
    check_people(restored)
    restored.close()


def test_an_encrypted_file_that_is_damaged_or_without_its_key_leaves_no_database(
    plain_backup: Path, tmp_path: Path
) -> None:
    content = encrypt_file(plain_backup).read_bytes()
    other = OperatorKey.of(bytes(32))
    file = tmp_path / "damaged.tar"
    for damaged, keys in (
        (content, BackupKeys()),
        (content, BackupKeys(file=other)),
        (content[:-1], BackupKeys(file=FILE_KEY)),
        (content[:-1] + bytes([content[-1] ^ 1]), BackupKeys(file=FILE_KEY)),
        (content + b"\0", BackupKeys(file=FILE_KEY)),
        (content[:70_000], BackupKeys(file=FILE_KEY)),
        (plain_backup.read_bytes(), BackupKeys(file=FILE_KEY)),
    ):
        file.write_bytes(damaged)
        with pytest.raises((BackupUnusable, KeyFileUnusable)):
            restore(file, tmp_path / "restored", MODELS, keys)
        assert not (tmp_path / "restored" / DATABASE_FILE).exists()
