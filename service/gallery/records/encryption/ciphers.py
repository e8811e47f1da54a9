"""How the values of one collection are written in the records: as they are, or encrypted.

Ids of subjects and hashes of photographs are looked up by equality. So they are encrypted deterministically (AES-SIV,
RFC 5297): within a collection, the same id gives the same text, and it occurs once. Everything else is encrypted with a
random nonce (AES-256-GCM, NIST SP 800-38D). An id or a hash is bound to its column, and every other value to its column
and its row. A value in another place is damage.
"""

import base64
import json
import secrets
from collections.abc import Sequence
from typing import Any, Literal, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV
from cryptography.hazmat.primitives.padding import PKCS7

from service.domain.errors import StorageLost
from service.gallery.records.encryption.key_file import KEY_BYTES, derive

NONCE_BYTES = 12
PAD_BYTES = 32
"""Text is padded to a multiple of this, so that the length of an id or a name is not readable."""

LookedUp = Literal["subjects.id", "faces.image_sha256"]
Described = Literal["subjects.name", "subjects.metadata"]


class RecordCipher(Protocol):
    """Writes and reads the values of one collection. Reading raises StorageLost if a value is damaged or misplaced.

    rotation_secret: the secret of the rotation of its vectors in an index. None: they are not rotated.
    """

    rotation_secret: bytes | None

    def write_id(self, column: LookedUp, value: str) -> str:
        """Return what is stored for an id or a hash. It is always the same for the same value."""
        ...

    def read_id(self, column: LookedUp, stored: str) -> str:
        """Return the id or the hash."""
        ...

    def write_value(self, column: Described, subject: str, value: Any) -> Any:  # noqa: ANN401  # any JSON
        """Return what is stored for a name, or for metadata. subject: the id."""
        ...

    def read_value(self, column: Described, subject: str, stored: Any) -> Any:  # noqa: ANN401  # any JSON
        """Return the name, or the metadata."""
        ...

    def write_vector(self, face: str, vector: bytes) -> bytes:
        """Return what is stored for an embedding. face: the id."""
        ...

    def read_vectors(self, faces: Sequence[str], stored: Sequence[bytes]) -> Sequence[bytes]:
        """Return the embeddings of the faces with these ids."""
        ...

    def write_crop(self, face: str, crop: bytes) -> bytes:
        """Return what is stored for the kept crop of a face. face: the id."""
        ...

    def read_crop(self, face: str, stored: bytes) -> bytes:
        """Return the kept crop of a face. face: the id."""
        ...


class _Plain:
    """Everything is written as it is."""

    rotation_secret: bytes | None = None

    def write_id(self, _column: LookedUp, value: str) -> str:
        return value

    def read_id(self, _column: LookedUp, stored: str) -> str:
        return stored

    def write_value(self, _column: Described, _subject: str, value: Any) -> Any:  # noqa: ANN401  # any JSON
        return value

    def read_value(self, _column: Described, _subject: str, stored: Any) -> Any:  # noqa: ANN401  # any JSON
        return stored

    def write_vector(self, _face: str, vector: bytes) -> bytes:
        return vector

    def read_vectors(self, _faces: Sequence[str], stored: Sequence[bytes]) -> Sequence[bytes]:
        return stored

    def write_crop(self, _face: str, crop: bytes) -> bytes:
        return crop

    def read_crop(self, _face: str, stored: bytes) -> bytes:
        return stored


PLAIN: RecordCipher = _Plain()


class Encrypted:
    """Everything is encrypted with keys that are derived from the data key of the collection.

    A vector or a crop is stored as nonce, ciphertext, tag. Text and JSON are stored as base64 of the same.
    """

    def __init__(self, data_key: bytes) -> None:
        self.rotation_secret: bytes | None = derive(data_key, "facenet rotation", KEY_BYTES)
        self._values = AESGCM(derive(data_key, "facenet values", KEY_BYTES))
        self._ids = AESSIV(derive(data_key, "facenet ids", 2 * KEY_BYTES))  # AES-SIV needs two keys

    def write_id(self, column: LookedUp, value: str) -> str:
        """Return the ciphertext of the id or the hash. It is always the same for the same value."""
        return base64.b64encode(self._ids.encrypt(_pad(value), [column.encode()])).decode()

    def read_id(self, column: LookedUp, stored: str) -> str:
        """Return the id or the hash."""
        try:
            ciphertext = base64.b64decode(stored)
            if base64.b64encode(ciphertext).decode() != stored:  # an id has one text only, so that it occurs once
                raise _damaged()
            return _unpad(self._ids.decrypt(ciphertext, [column.encode()]))
        except (InvalidTag, ValueError, TypeError):
            raise _damaged() from None

    def write_value(self, column: Described, subject: str, value: Any) -> str:  # noqa: ANN401  # any JSON
        """Return the ciphertext of the name or the metadata. subject: the id."""
        return base64.b64encode(self._encrypt(_place(column, subject), _pad(json.dumps(value)))).decode()

    def read_value(self, column: Described, subject: str, stored: Any) -> Any:  # noqa: ANN401  # any JSON
        """Return the name, or the metadata."""
        try:
            return json.loads(_unpad(self._decrypt(_place(column, subject), base64.b64decode(stored))))
        except (InvalidTag, ValueError, TypeError):
            raise _damaged() from None

    def write_vector(self, face: str, vector: bytes) -> bytes:
        """Return the ciphertext of the embedding. face: the id."""
        return self._encrypt(_place("faces.embedding", face), vector)

    def read_vectors(self, faces: Sequence[str], stored: Sequence[bytes]) -> list[bytes]:
        """Return the embeddings of the faces with these ids."""
        decrypt = self._decrypt
        try:
            return [
                decrypt(_place("faces.embedding", face), vector) for face, vector in zip(faces, stored, strict=True)
            ]
        except (InvalidTag, ValueError, TypeError):
            raise StorageLost("a stored embedding is damaged") from None

    def write_crop(self, face: str, crop: bytes) -> bytes:
        """Return the ciphertext of the kept crop. face: the id."""
        return self._encrypt(_place("crops.crop", face), crop)

    def read_crop(self, face: str, stored: bytes) -> bytes:
        """Return the kept crop of a face. face: the id."""
        try:
            return self._decrypt(_place("crops.crop", face), stored)
        except (InvalidTag, ValueError, TypeError):
            raise StorageLost("a stored crop is damaged") from None

    def _encrypt(self, place: bytes, value: bytes) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._values.encrypt(nonce, value, place)

    def _decrypt(self, place: bytes, stored: bytes) -> bytes:
        return self._values.decrypt(stored[:NONCE_BYTES], stored[NONCE_BYTES:], place)


def _damaged() -> StorageLost:
    return StorageLost("a stored value is damaged")


def _place(column: str, row: str) -> bytes:
    """Return the associated data: where the value is. The data key already says in which collection."""
    return f"{column}\0{row}".encode()


def _pad(text: str) -> bytes:
    padder = PKCS7(8 * PAD_BYTES).padder()
    return padder.update(text.encode()) + padder.finalize()


def _unpad(padded: bytes) -> str:
    unpadder = PKCS7(8 * PAD_BYTES).unpadder()
    return (unpadder.update(padded) + unpadder.finalize()).decode()
