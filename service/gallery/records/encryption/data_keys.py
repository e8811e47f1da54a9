"""A random data key for each collection, wrapped with the key of the operator (envelope encryption).

So the key of the operator is replaced without encrypting the records again. And a deleted collection cannot be read
from remains of its bytes, because its data key is gone.
"""

import secrets
from functools import lru_cache
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from service.domain.errors import StorageLost
from service.gallery.records.encryption.ciphers import NONCE_BYTES, PLAIN, Encrypted, RecordCipher
from service.gallery.records.encryption.key_file import KEY_BYTES, OperatorKey, derive

MAX_OPEN_KEYS = 1024
"""How many collections have their ciphers in memory."""


class DataKeys(Protocol):
    """Makes and opens the data keys of collections. key_id: of the operator's key. None: nothing is encrypted.

    collection: the ids of the gallery and of the collection, which the data key is bound to.
    """

    key_id: str | None

    def make(self, collection: str) -> bytes | None:
        """Make a data key for a collection, and return it wrapped. None: the records of the collection are plain."""
        ...

    def cipher(self, collection: str, wrapped: bytes | None) -> RecordCipher:
        """Return how the values of the collection are written. Raises StorageLost if the data key is damaged."""
        ...


class NoDataKeys:
    """Nothing is encrypted."""

    key_id: str | None = None

    def make(self, _collection: str) -> None:
        """Return None: the records of the collection are plain."""

    def cipher(self, _collection: str, _wrapped: bytes | None) -> RecordCipher:
        """Return the cipher that changes nothing."""
        return PLAIN


class WrappedDataKeys:
    """Data keys that are wrapped with the key of the operator: nonce, then AES-256-GCM, bound to their collection."""

    def __init__(self, key: OperatorKey) -> None:
        self.key_id: str | None = key.id
        self._wrapping = AESGCM(derive(key.secret, "facenet data keys", KEY_BYTES))
        self._cipher = lru_cache(MAX_OPEN_KEYS)(self._open_cipher)

    def make(self, collection: str) -> bytes:
        """Make a data key for a collection, and return it wrapped."""
        return self._wrap(collection, secrets.token_bytes(KEY_BYTES))

    def cipher(self, collection: str, wrapped: bytes | None) -> RecordCipher:
        """Return how the values of the collection are written. Raises StorageLost if the data key is damaged."""
        if wrapped is None:  # else who can write the disk could make the service store plain values
            raise StorageLost("the data key of a collection is missing")
        return self._cipher(collection, wrapped)

    def rewrap(self, collection: str, wrapped: bytes, other: "WrappedDataKeys") -> bytes:
        """Wrap a data key with the key of `other` instead. Raises StorageLost if it is damaged."""
        return other._wrap(collection, self._unwrap(collection, wrapped))  # noqa: SLF001  # of the same class

    def _open_cipher(self, collection: str, wrapped: bytes) -> RecordCipher:
        return Encrypted(self._unwrap(collection, wrapped))

    def _wrap(self, collection: str, data_key: bytes) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._wrapping.encrypt(nonce, data_key, _place(collection))

    def _unwrap(self, collection: str, wrapped: bytes) -> bytes:
        try:
            return self._wrapping.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], _place(collection))
        except (InvalidTag, ValueError, TypeError):
            raise StorageLost("the data key of a collection is damaged") from None


def data_keys(key: OperatorKey | None) -> DataKeys:
    """Return what makes and opens data keys. key: None if the gallery is not encrypted."""
    return NoDataKeys() if key is None else WrappedDataKeys(key)


def _place(collection: str) -> bytes:
    return b"collections.data_key\0" + collection.encode()
