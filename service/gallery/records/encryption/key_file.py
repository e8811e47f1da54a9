"""The key of the operator: a file of one line, 64 hexadecimal digits."""

import os
import re
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from service.domain.command_errors import KeyFileUnusable

KEY_BYTES = 32
_LINE = re.compile(r"[0-9a-f]{64}\n?", re.ASCII)


@dataclass(frozen=True, slots=True)
class OperatorKey:
    """A key of 256 bits. secret: its bytes; they are never printed.

    id: 16 hexadecimal digits that are derived from the key. They tell keys apart, and tell nothing about the key.
    """

    id: str
    secret: bytes = field(repr=False)

    @classmethod
    def of(cls, secret: bytes) -> Self:
        """Return the key with its id. secret: KEY_BYTES, uniformly random."""
        return cls(derive(secret, "facenet key id", 8).hex(), secret)


def derive(secret: bytes, purpose: str, size_bytes: int) -> bytes:
    """Derive a key for one purpose from a uniformly random key (HKDF with SHA-256, RFC 5869)."""
    return HKDF(SHA256(), size_bytes, salt=None, info=purpose.encode()).derive(secret)


def create_key_file(file: Path) -> OperatorKey:
    """Write a new random key to a new file that only its owner can read. Raises KeyFileUnusable."""
    secret = secrets.token_bytes(KEY_BYTES)
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as target:
            target.write(f"{secret.hex()}\n")
            target.flush()
            os.fsync(target.fileno())
    except FileExistsError:
        raise KeyFileUnusable(f"{file} exists already. Choose another name: a key is never overwritten.") from None
    except OSError as error:
        raise KeyFileUnusable(f"{file} cannot be written: {error.strerror}.") from None
    return OperatorKey.of(secret)


def read_key_file(file: Path) -> OperatorKey:
    """Read a key. Raises KeyFileUnusable if the file is missing or malformed, or if others can read it."""
    try:
        with file.open("rb") as source:
            _require_private(file, os.fstat(source.fileno()))
            line = source.read(KEY_BYTES * 2 + 2)
    except OSError as error:
        raise KeyFileUnusable(f"The key file {file} cannot be read: {error.strerror}.") from None
    if not _LINE.fullmatch(text := line.decode("latin-1")):
        raise KeyFileUnusable(
            f"{file} is no key file: it must hold one line of 64 hexadecimal digits. Make one: facenet encryption-key "
            "FILE."
        )
    return OperatorKey.of(bytes.fromhex(text.strip()))


def _require_private(file: Path, status: os.stat_result) -> None:
    """Raise KeyFileUnusable if too many can read or change the file.

    The group of a file of root may read it: in Kubernetes, a secret belongs to root and to the group of the Pod. This
    is the rule of PostgreSQL for the keys of its servers.
    """
    allowed = stat.S_IRWXU | (stat.S_IRGRP if status.st_uid == 0 else 0)
    if stat.S_IMODE(status.st_mode) & ~allowed:
        raise KeyFileUnusable(f"Others than its owner can use the key file {file}. Run: chmod 600 {file}")
