"""A key file holds one line of 256 bits, is never overwritten, and is refused if others can read it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from service.access.secret_file import write_encryption_key
from service.domain.command_errors import KeyFileUnusable
from service.gallery.records.encryption.key_file import read_key_file


def test_a_new_key_file_is_readable_by_its_owner_only_and_holds_64_digits(key_file: Path) -> None:
    assert key_file.stat().st_mode & 0o777 == 0o600
    line = key_file.read_text()
    assert len(bytes.fromhex(line.strip())) == 32
    assert line.endswith("\n")


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    assert write_encryption_key(tmp_path / "key") == read_key_file(tmp_path / "key")


def test_two_keys_differ(key_file: Path, other_key_file: Path) -> None:
    assert read_key_file(key_file).id != read_key_file(other_key_file).id


def test_a_key_does_not_show_its_secret(key_file: Path) -> None:
    key = read_key_file(key_file)
    assert key.secret.hex() not in f"{key} {key!r}"
    assert key.id not in key.secret.hex()


def test_an_existing_file_is_not_overwritten(key_file: Path) -> None:
    before = key_file.read_bytes()
    with pytest.raises(KeyFileUnusable, match="never overwritten"):
        write_encryption_key(key_file)
    assert key_file.read_bytes() == before


def test_a_folder_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    with pytest.raises(KeyFileUnusable, match="No such file"):
        write_encryption_key(tmp_path / "no" / "key")


@pytest.mark.parametrize(
    "content",
    ["", "\n", "a" * 63, "a" * 65, "g" * 64, "a" * 64 + "\na", "é" * 64, "\uff11" * 64, "a" * 64 + "\n" * 1000],
)
def test_a_malformed_file_is_refused(key_file: Path, content: str) -> None:
    key_file.write_text(content, "utf-8")
    with pytest.raises(KeyFileUnusable, match="one line of 64 hexadecimal digits") as raised:
        read_key_file(key_file)
    assert not content.strip() or content.strip() not in str(raised.value)


@pytest.mark.parametrize("change", [str.upper, lambda line: line.replace("\n", "\r\n"), lambda line: f"\ufeff{line}\n"])
def test_a_key_that_was_typed_or_saved_by_another_program_is_read(key_file: Path, change: Callable[[str], str]) -> None:
    key = read_key_file(key_file)
    key_file.write_bytes(change(key_file.read_text("utf-8")).encode())
    assert read_key_file(key_file) == key


def test_a_file_that_cannot_be_decoded_is_refused(key_file: Path) -> None:
    key_file.write_bytes(b"\xff" * 64)
    with pytest.raises(KeyFileUnusable, match="one line of 64 hexadecimal digits"):
        read_key_file(key_file)


def test_a_pipe_or_a_folder_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for file in (tmp_path / "pipe", tmp_path):
        with pytest.raises(KeyFileUnusable, match=r"not a file|Is a directory"):
            read_key_file(file)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyFileUnusable, match="No such file"):
        read_key_file(tmp_path / "key")


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o644, 0o660, 0o666, 0o620])
def test_a_file_that_others_can_use_is_refused(key_file: Path, mode: int) -> None:
    key_file.chmod(mode)
    with pytest.raises(KeyFileUnusable, match="chmod 600"):
        read_key_file(key_file)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_only_the_group_of_a_file_of_root_may_read_it(key_file: Path) -> None:
    key_file.chmod(0o440)
    read_key_file(key_file)
    os.chown(key_file, 1000, 1000)
    with pytest.raises(KeyFileUnusable, match="chmod 600"):
        read_key_file(key_file)
