"""How an access key looks, and how it is recognised.

A key is `facenet_<id>_<secret>`. The id is public: it is in lists and logs. The secret has 256 random bits, and is
shown once. The service stores only a hash of the whole key, so who reads the database has no key. The hash is keyed
with a secret that is not in the database (HMAC-SHA-256, RFC 2104), so who can write to the database cannot add a key. A
second hash, the seal, is over what a key allows. So a row that was changed in the database is not valid.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable

SECRET_BYTES = 32
ID_BYTES = 6
_KEY = re.compile(r"facenet_(?P<id>[0-9a-f]{12})_[A-Za-z0-9_-]{43}")
NO_KEY_HAS_THIS_DIGEST = bytes(32)
"""A key without a row is compared with this, so it is refused after the same time as a wrong one."""


def new_id() -> str:
    """Return the id of a new key: 12 hexadecimal digits."""
    return secrets.token_hex(ID_BYTES)


def new_key(key_id: str) -> str:
    """Return a new key with this id."""
    return f"facenet_{key_id}_{secrets.token_urlsafe(SECRET_BYTES)}"


def id_of(key: str) -> str | None:
    """Return the id of a key. None if the text does not have the form of a key."""
    found = _KEY.fullmatch(key)
    return found["id"] if found else None


class KeyHasher:
    """Computes keyed hashes. secret: 32 bytes.

    id: names the secret, and does not reveal it. Keys that were hashed with another secret are not valid.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self.id = hashlib.sha256(b"facenet key secret" + secret).hexdigest()[:16]

    def digest(self, key: str) -> bytes:
        """Return the hash of a key, 32 bytes."""
        return hmac.digest(self._secret, b"key\0" + key.encode(), "sha256")

    def seal(self, statements: Iterable[object]) -> bytes:
        """Return the hash of what a key allows, 32 bytes."""
        return hmac.digest(self._secret, b"seal\0" + repr(tuple(statements)).encode(), "sha256")


def is_same(digest: bytes, other: bytes) -> bool:
    """Compare two hashes in a time that does not depend on where they differ."""
    return hmac.compare_digest(digest, other)
