"""The key of the operator: a file of one line, 64 hexadecimal digits."""

import errno
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from service.domain.command_errors import KeyFileUnusable

KEY_BYTES = 32
MAX_FILE_BYTES = 128
_LINE = re.compile(r"\s{0,9}[0-9a-fA-F]{64}\s{0,9}", re.ASCII)


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


def read_key_file(file: Path) -> OperatorKey:
    """Read a key. Raises KeyFileUnusable if the file is missing or malformed, or if others can read it."""
    try:
        # Without O_NONBLOCK, opening a pipe waits for a writer.
        with os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK), encoding="utf-8-sig") as source:
            _require_private(file, os.fstat(source.fileno()))
            text = source.read(MAX_FILE_BYTES)
    except OSError as error:
        raise KeyFileUnusable(f"The key file {file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        text = ""
    if not _LINE.fullmatch(text):
        raise KeyFileUnusable(
            f"{file} is no key file: it must hold one line of 64 hexadecimal digits. facenet encryption-key FILE makes "
            "a new key. It does not open what another key has encrypted."
        )
    return OperatorKey.of(bytes.fromhex(text.strip()))


def _require_private(file: Path, status: os.stat_result) -> None:
    """Raise KeyFileUnusable if too many can read or change the file. Raises OSError if it is a folder or a pipe.

    The group of a file of root may read it: in Kubernetes, a secret belongs to root and to the group of the Pod. This
    is the rule of PostgreSQL for the keys of its servers.
    """
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is not a file")
    allowed = stat.S_IRWXU | (stat.S_IRGRP if status.st_uid == 0 else 0)
    if stat.S_IMODE(status.st_mode) & ~allowed:
        raise KeyFileUnusable(f"Others than its owner can use the key file {file}. Run: chmod 600 {file}")
