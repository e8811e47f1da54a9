"""The secret of an audit log. Without it, nobody can continue the chain, or find out who a pseudonym is."""

import hmac
import re
import secrets
from pathlib import Path

from service.access.new_file import write_new_file
from service.domain.command_errors import AuditUnusable

SECRET_BYTES = 32
PSEUDONYM_BYTES = 16
_SECRET = re.compile(r"[0-9a-f]{64}\n")


class AuditSecret:
    """Computes the hashes of the chain, and the pseudonyms of subjects: HMAC-SHA256 (RFC 2104) with two keys.

    A plain SHA-256 would let everybody who can write the files compute the chain again after a change. And everybody
    who can read them could try ids until one fits.
    """

    def __init__(self, secret: bytes) -> None:
        self._chain_key = hmac.digest(secret, b"chain", "sha256")
        self._pseudonym_key = hmac.digest(secret, b"pseudonym", "sha256")

    def link(self, previous: bytes, content: bytes) -> bytes:
        """Return the hash of a line, 32 bytes. previous: the hash of the line before it."""
        return hmac.digest(self._chain_key, previous + content, "sha256")

    def pseudonym(self, *ids: str) -> str:
        """Return what stands for a collection, or for a subject of a collection: 32 hexadecimal digits."""
        text = "/".join(ids).encode()  # an id has no slash
        return hmac.digest(self._pseudonym_key, text, "sha256")[:PSEUDONYM_BYTES].hex()


def read_secret(file: Path) -> AuditSecret:
    """Read the secret. Raises AuditUnusable."""
    try:
        text = file.read_text("ascii")
    except (OSError, UnicodeDecodeError):
        raise AuditUnusable(
            f"The secret of the audit log cannot be read: {file}. Put the file back (FACE_AUDIT__SECRET_FILE). Without "
            "it, nobody can check the log. To start a new log, move the folder `audit` of the data directory away."
        ) from None
    if not _SECRET.fullmatch(text):
        raise AuditUnusable(f"{file} is damaged: it must hold 64 hexadecimal digits and a line break. Put it back.")
    return AuditSecret(bytes.fromhex(text.strip()))


def create_secret(file: Path) -> None:
    """Write a new random secret, readable by its owner only. Raises FileExistsError or another OSError."""
    write_new_file(file, f"{secrets.token_hex(SECRET_BYTES)}\n")
