"""The secret that keys are hashed with, and the key of the operator."""

from pathlib import Path

import pytest

from service.access.secret_file import SECRET_FILE, KeySecret, read_admin_key, write_admin_key
from service.domain.command_errors import DataDirectoryUnusable, InvalidSettings


def test_the_secret_is_created_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    secret = KeySecret(tmp_path / SECRET_FILE)
    assert not secret.exists()
    assert secret.hasher().id == secret.hasher().id == KeySecret(tmp_path / SECRET_FILE).hasher().id
    assert (tmp_path / SECRET_FILE).stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == [SECRET_FILE]


@pytest.mark.parametrize("text", ["", "0" * 63, "0" * 66, "g" * 64, "\xff"])
def test_a_damaged_secret_stops_the_start(tmp_path: Path, text: str) -> None:
    (tmp_path / SECRET_FILE).write_text(text, "latin-1")
    with pytest.raises(DataDirectoryUnusable):
        KeySecret(tmp_path / SECRET_FILE).hasher()
    assert (tmp_path / SECRET_FILE).read_text("latin-1") == text


def test_files_beside_a_new_file_are_left_alone(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("kept")
    (tmp_path / "admin.key.part").symlink_to(target)
    write_admin_key(tmp_path / "admin.key")
    assert target.read_text() == "kept"
    assert not (tmp_path / "admin.key").is_symlink()


def test_a_written_key_of_the_operator_can_be_read_and_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "admin.key"
    write_admin_key(file)
    assert file.stat().st_mode & 0o777 == 0o600
    key = read_admin_key(file)
    assert len(key) == 43
    with_mark = tmp_path / "bom.key"
    with_mark.write_text(f"\ufeff{key}\r\n", "utf-8")
    assert read_admin_key(with_mark) == key
    with pytest.raises(InvalidSettings, match="File exists"):
        write_admin_key(file)
    assert read_admin_key(file) == key


@pytest.mark.parametrize("text", ["", "short", "a" * 31, "a" * 257, "two\nlines" * 8, "with space " * 4])
def test_a_weak_or_malformed_key_of_the_operator_stops_the_start(tmp_path: Path, text: str) -> None:
    file = tmp_path / "admin.key"
    file.write_text(text)
    with pytest.raises(InvalidSettings, match="32 to 256"):
        read_admin_key(file)


def test_a_missing_key_of_the_operator_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="No such file"):
        read_admin_key(tmp_path / "none")
