"""Secrets in files: the one that keys are hashed with, and the key of the operator."""

import os
import re
import secrets
from pathlib import Path

from service.access.key import SECRET_BYTES
from service.domain.command_errors import InvalidSettings
from service.gallery.data_directory import sync_folder, unusable

SECRET_FILE = "key_secret"  # noqa: S105  # a name
MAX_FILE_BYTES = 4096
_SECRET = re.compile(rf"[0-9a-f]{{{2 * SECRET_BYTES}}}\n?")
_ADMIN_KEY = re.compile(r"[A-Za-z0-9_.~+/=-]{32,256}")


def read_or_create_secret(data_dir: Path) -> bytes:
    """Return the secret of the data directory, 32 bytes. If there is none, create it.

    Raises DataDirectoryUnusable.
    """
    file = data_dir / SECRET_FILE
    try:
        if not file.exists():
            _create(file, f"{secrets.token_hex(SECRET_BYTES)}\n")
        text = _read(file)
    except (OSError, UnicodeDecodeError) as error:
        raise unusable(file, error) from None
    if not _SECRET.fullmatch(text):
        raise unusable(file, ValueError("it does not hold 64 hexadecimal digits"))
    return bytes.fromhex(text)


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
        _create(file, f"{secrets.token_urlsafe(SECRET_BYTES)}\n")
    except OSError as error:
        raise InvalidSettings(f"{file} cannot be created ({error.strerror}). An existing file is kept.") from None


def _read(file: Path) -> str:
    with file.open(encoding="utf-8") as opened:
        return opened.read(MAX_FILE_BYTES)


def _create(file: Path, text: str) -> None:
    """Create the file so that it is complete or missing after a crash. Raises FileExistsError if it exists."""
    part = file.with_name(f"{file.name}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, text.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        os.link(part, file)  # unlike a renaming, this does not replace an existing file
    finally:
        part.unlink()
    sync_folder(file.parent)
