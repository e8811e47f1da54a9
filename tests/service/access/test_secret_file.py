"""The secret that keys are hashed with, and the key of the operator."""

from pathlib import Path

import pytest

from service.access.secret_file import SECRET_FILE, read_admin_key, read_or_create_secret, write_admin_key
from service.domain.command_errors import DataDirectoryUnusable, InvalidSettings


def test_the_secret_is_created_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    secret = read_or_create_secret(tmp_path)
    assert len(secret) == 32
    assert read_or_create_secret(tmp_path) == secret
    assert (tmp_path / SECRET_FILE).stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == [SECRET_FILE]


@pytest.mark.parametrize("text", ["", "0" * 63, "0" * 66, "g" * 64, "\xff"])
def test_a_damaged_secret_stops_the_start(tmp_path: Path, text: str) -> None:
    (tmp_path / SECRET_FILE).write_text(text, "latin-1")
    with pytest.raises(DataDirectoryUnusable):
        read_or_create_secret(tmp_path)
    assert (tmp_path / SECRET_FILE).read_text("latin-1") == text


def test_a_written_key_of_the_operator_can_be_read_and_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "admin.key"
    write_admin_key(file)
    assert file.stat().st_mode & 0o777 == 0o600
    key = read_admin_key(file)
    assert len(key) == 43
    with pytest.raises(InvalidSettings, match="kept"):
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
