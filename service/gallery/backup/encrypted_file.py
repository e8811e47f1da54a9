"""A backup that is encrypted where it is saved: chunks of AES-256-GCM in the STREAM construction.

STREAM: Hoang, Reyhanitabar, Rogaway and Vizar, CRYPTO 2015. The nonce of a chunk is its number and a mark of the last
one. So a chunk that is changed, missing, moved or added, and a file that is cut off, are all refused. The files of age
(age-encryption.org/v1) have the same construction.

A file is MAGIC, the id of the key (8 bytes), a salt (32 bytes), and the chunks. Each file has its own key, derived from
the operator's key and these bytes.
"""

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import RawIOBase
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from service.domain.command_errors import BackupUnusable, KeyFileUnusable
from service.gallery.records.encryption.key_file import KEY_BYTES, OperatorKey

MAGIC = b"facenet backup, encrypted, 1\n"
KEY_ID_BYTES, SALT_BYTES, TAG_BYTES = 8, 32, 16
CHUNK_BYTES = 2**16
HEADER_BYTES = len(MAGIC) + KEY_ID_BYTES + SALT_BYTES


class EncryptedFile:
    """Encrypts what is written to it. A chunk is only written when more follows, because the last one is marked."""

    def __init__(self, target: BinaryIO, key: OperatorKey) -> None:
        header = MAGIC + bytes.fromhex(key.id) + secrets.token_bytes(SALT_BYTES)
        self._target = target
        self._cipher = _file_cipher(key, header)
        self._number = 0
        self._waiting = bytearray()
        target.write(header)

    def writelines(self, lines: Iterable[bytes]) -> None:
        """Write bytes."""
        for data in lines:
            self._waiting += data
            while len(self._waiting) > CHUNK_BYTES:
                self._write_chunk(bytes(self._waiting[:CHUNK_BYTES]), last=False)
                del self._waiting[:CHUNK_BYTES]

    def finish(self) -> None:
        """Write the last chunk. Without it, the file cannot be read."""
        self._write_chunk(bytes(self._waiting), last=True)

    def _write_chunk(self, chunk: bytes, *, last: bool) -> None:
        self._target.write(self._cipher.encrypt(_nonce(self._number, last=last), chunk, None))
        self._number += 1


@contextmanager
def encrypting(target: BinaryIO, key: OperatorKey) -> Iterator[EncryptedFile]:
    """Encrypt what is written, and end the file if there was no error."""
    encrypted = EncryptedFile(target, key)
    yield encrypted
    encrypted.finish()


class DecryptedFile(RawIOBase):
    """Reads an encrypted backup from its start to its end. No byte is returned before its chunk is checked.

    source: the file, at its start.
    Raises KeyFileUnusable if it was encrypted with another key, or BackupUnusable if it is damaged.
    """

    def __init__(self, source: BinaryIO, key: OperatorKey) -> None:
        super().__init__()
        header = source.read(HEADER_BYTES)
        if not is_encrypted(header):
            raise BackupUnusable("The backup is not encrypted as a file. Leave out --decrypt-with.")
        if len(header) < HEADER_BYTES:
            raise _damaged()
        self._require_key(header, key)
        self._source = source
        self._cipher = _file_cipher(key, header)
        self._number = 0
        self._next = source.read(CHUNK_BYTES + TAG_BYTES)
        self._decrypted = memoryview(b"")

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # what BufferedReader passes
        """Read some bytes. Returns 0 at the end, when the last chunk was checked."""
        if not self._decrypted and (self._next or not self._number):
            self._decrypted = memoryview(self._read_chunk())
        size = min(len(buffer), len(self._decrypted))
        buffer[:size] = self._decrypted[:size]
        self._decrypted = self._decrypted[size:]
        return size

    def _read_chunk(self) -> bytes:
        chunk, self._next = self._next, self._source.read(CHUNK_BYTES + TAG_BYTES)
        try:
            decrypted = self._cipher.decrypt(_nonce(self._number, last=not self._next), chunk, None)
        except (InvalidTag, ValueError):
            raise _damaged() from None
        self._number += 1
        return decrypted

    @staticmethod
    def _require_key(header: bytes, key: OperatorKey) -> None:
        needed = header[len(MAGIC) : len(MAGIC) + KEY_ID_BYTES].hex()
        if needed != key.id:
            raise KeyFileUnusable(
                f"The backup is encrypted with the key {needed}, and the file of --decrypt-with holds the key {key.id}."
            )


def is_encrypted(start: bytes) -> bool:
    """Return whether a file with these first bytes is an encrypted backup."""
    return start.startswith(MAGIC)


def _file_cipher(key: OperatorKey, header: bytes) -> AESGCM:
    derived = HKDF(SHA256(), KEY_BYTES, salt=header[-SALT_BYTES:], info=b"facenet backup file" + header)
    return AESGCM(derived.derive(key.secret))


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11) + bytes([last])


def _damaged() -> BackupUnusable:
    return BackupUnusable("The encrypted backup is damaged or cut off. Use another one.")
