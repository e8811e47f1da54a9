"""Secrets in files: the one that keys are hashed with, the key of the operator, and the key that encrypts a gallery."""

import re
import secrets
from pathlib import Path

from service.access.key import SECRET_BYTES, KeyHasher
from service.access.new_file import write_new_file
from service.domain.command_errors import DataDirectoryUnusable, InvalidSettings, KeyFileUnusable
from service.gallery.records.encryption.key_file import KEY_BYTES, OperatorKey
from service.gallery.records.sqlite.data_directory import unusable

SECRET_FILE = "key_secret"  # noqa: S105  # a name
MAX_FILE_BYTES = 4096
_SECRET = re.compile(rf"[0-9a-f]{{{2 * SECRET_BYTES}}}\n?")
_ADMIN_KEY = re.compile(r"[A-Za-z0-9_.~+/=-]{32,256}")


class KeySecret:
    """The secret that keys are hashed with, 32 bytes in a file. Replicas of one database share it.

    It is made with the first key. So if it exists, the service has had keys, even if they are gone from the database.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def exists(self) -> bool:
        """Return whether the service has had keys."""
        return self._file.exists()

    def hasher(self) -> KeyHasher:
        """Return what hashes keys with this secret. The secret is created if there is none.

        Raises DataDirectoryUnusable.
        """
        try:
            if not self.exists():
                write_new_file(self._file, f"{secrets.token_hex(SECRET_BYTES)}\n")
            text = _read(self._file)
        except (OSError, UnicodeDecodeError) as error:
            raise unusable(self._file, error) from None
        if not _SECRET.fullmatch(text):
            raise DataDirectoryUnusable(
                f"{self._file} is damaged. Take it from a copy of the data directory. If there is none, delete it: "
                "then no key is valid, and FACE_ADMIN_KEY_FILE lets you make new ones."
            )
        return KeyHasher(bytes.fromhex(text))


def read_admin_key(file: Path) -> str:
    """Return the key of the operator. Raises InvalidSettings."""
    try:
        key = _read(file).strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise InvalidSettings(f"FACE_ADMIN_KEY_FILE: {file} cannot be read ({reason}).") from None
    if not _ADMIN_KEY.fullmatch(key):
        raise InvalidSettings(
            f"FACE_ADMIN_KEY_FILE: {file} must hold one line of 32 to 256 letters, digits or -_.~+/=. "
            f"`facenet keys generate FILE` makes such a file."
        )
    return key


def write_admin_key(file: Path) -> None:
    """Write a new random key to a new file that only its owner can read. Raises InvalidSettings."""
    try:
        write_new_file(file, f"{secrets.token_urlsafe(SECRET_BYTES)}\n")
    except OSError as error:
        raise InvalidSettings(f"{file} cannot be created: {error.strerror}.") from None


def write_encryption_key(file: Path) -> OperatorKey:
    """Write a new random key for galleries or backups to a new file that only its owner can read.

    Raises KeyFileUnusable.
    """
    secret = secrets.token_bytes(KEY_BYTES)
    try:
        write_new_file(file, f"{secret.hex()}\n")
    except FileExistsError:
        raise KeyFileUnusable(f"{file} exists already. Choose another name: a key is never overwritten.") from None
    except OSError as error:
        raise KeyFileUnusable(f"{file} cannot be written: {error.strerror}.") from None
    return OperatorKey.of(secret)


def _read(file: Path) -> str:
    with file.open(encoding="utf-8-sig") as opened:  # an editor may have written a byte order mark
        return opened.read(MAX_FILE_BYTES)
