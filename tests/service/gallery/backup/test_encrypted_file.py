"""An encrypted backup file is read with its key only, and only if not one byte was changed, moved, added or cut off."""

import io
import secrets
from pathlib import Path

import pytest

from service.domain.command_errors import BackupUnusable, KeyFileUnusable
from service.gallery.backup.encrypted_file import CHUNK_BYTES, HEADER_BYTES, TAG_BYTES, DecryptedFile, encrypting
from service.gallery.records.encryption.key_file import OperatorKey

KEY, OTHER_KEY = (OperatorKey.of(bytes([number]) * 32) for number in (1, 2))
SEALED_BYTES = CHUNK_BYTES + TAG_BYTES


def encrypt(*parts: bytes, key: OperatorKey = KEY) -> bytes:
    target = io.BytesIO()
    with encrypting(target, key) as sink:
        sink.writelines(parts)
    return target.getvalue()


def decrypt(file: bytes, key: OperatorKey = KEY) -> bytes:
    return io.BufferedReader(DecryptedFile(io.BytesIO(file), key)).read()


def chunks(file: bytes) -> list[bytes]:
    return [file[start : start + SEALED_BYTES] for start in range(HEADER_BYTES, len(file), SEALED_BYTES)]


@pytest.mark.parametrize("size_bytes", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES, 200_001])
def test_what_is_encrypted_is_decrypted(size_bytes: int) -> None:
    content = secrets.token_bytes(size_bytes)
    assert decrypt(encrypt(content)) == content
    assert decrypt(encrypt(content[:7], b"", content[7:])) == content


def test_the_same_content_is_encrypted_differently_each_time() -> None:
    files = encrypt(bytes(100)), encrypt(bytes(100))
    assert files[0][HEADER_BYTES:] != files[1][HEADER_BYTES:]


def test_an_encrypted_file_does_not_hold_its_content() -> None:
    content = b"Anna Aronsdottir" * 10_000
    assert b"Aronsdottir" not in encrypt(content)


def test_every_changed_byte_is_refused() -> None:
    file = encrypt(secrets.token_bytes(300))
    for position in range(len(file)):
        changed = bytearray(file)
        changed[position] ^= 0x40
        with pytest.raises((BackupUnusable, KeyFileUnusable)):
            decrypt(bytes(changed))


def test_a_changed_byte_in_any_chunk_is_refused() -> None:
    file = encrypt(secrets.token_bytes(3 * CHUNK_BYTES + 100))
    for position in [*range(0, len(file), 997), len(file) - 1]:
        changed = bytearray(file)
        changed[position] ^= 1
        with pytest.raises((BackupUnusable, KeyFileUnusable)):
            decrypt(bytes(changed))


def test_a_file_that_is_cut_off_anywhere_is_refused() -> None:
    file = encrypt(secrets.token_bytes(2 * CHUNK_BYTES + 100))
    ends = [HEADER_BYTES + number * SEALED_BYTES + offset for number in range(3) for offset in (-1, 0, 1, 15, 16, 17)]
    for end in [*range(HEADER_BYTES + 40), *ends, len(file) - 17, len(file) - 16, len(file) - 1]:
        with pytest.raises(BackupUnusable):
            decrypt(file[:end])


def test_chunks_that_are_moved_repeated_left_out_or_added_are_refused() -> None:
    file, other = (encrypt(secrets.token_bytes(3 * CHUNK_BYTES + 100)) for _ in range(2))
    header, (first, second, third, last) = file[:HEADER_BYTES], chunks(file)
    assert decrypt(header + first + second + third + last)
    for parts in (
        (second, first, third, last),
        (first, first, second, third, last),
        (first, third, last),
        (first, second, third),
        (first, second, third, last, last),
        (first, second, third, last, b"\0"),
        (first, chunks(other)[1], third, last),
        (last,),
        (),
    ):
        with pytest.raises(BackupUnusable):
            decrypt(header + b"".join(parts))


def test_another_key_is_refused_with_the_ids_of_both() -> None:
    with pytest.raises(KeyFileUnusable, match=f"key {KEY.id}, .* holds the key {OTHER_KEY.id}"):
        decrypt(encrypt(b"content"), OTHER_KEY)


def test_a_file_that_is_not_encrypted_is_refused() -> None:
    for file in (b"", b"plain" * 100):
        with pytest.raises(BackupUnusable, match="Leave out --decrypt-with"):
            decrypt(file)


def test_after_an_error_the_file_has_no_end(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="disk"):
        write_until_an_error(tmp_path / "file")
    with pytest.raises(BackupUnusable):
        decrypt((tmp_path / "file").read_bytes())


def write_until_an_error(file: Path) -> None:
    with file.open("wb") as target, encrypting(target, KEY) as sink:
        sink.writelines([secrets.token_bytes(2 * CHUNK_BYTES)])
        raise OSError("the disk is full")
