"""Statements about kept crops. `collection` is a key.

A crop is deleted with its face, by the database. It stays with the face when the face gets another subject.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, delete, select

from service.domain.errors import CropNotFound, FaceNotFound, StorageLost
from service.domain.face import KeptCrop
from service.gallery.records.encryption.ciphers import RecordCipher
from service.gallery.records.schema import CROPS, FACES, OTHER_EMBEDDINGS
from service.gallery.records.statements.encryption import cipher
from service.gallery.records.statements.rows.insertion import insert_rows


def store(connection: Connection, collection: int, crops: Mapping[str, KeptCrop]) -> None:
    """Store the crops of faces that have none yet, or one that cannot be used. crops: by the ids of the faces."""
    if not crops:
        return
    _remove_unusable(connection, list(crops))
    to = cipher(connection, collection)
    known = set(connection.scalars(select(CROPS.c.face).where(CROPS.c.face.in_(list(crops)))))
    rows = [
        {"face": face, "crop": to.write_crop(face, crop.to_bytes())}
        for face, crop in crops.items()
        if face not in known
    ]
    insert_rows(connection, CROPS, rows)


def _remove_unusable(connection: Connection, faces: Sequence[str]) -> None:
    """Delete the crops that the other model could not embed. It then embeds the new ones."""
    unusable = OTHER_EMBEDDINGS.c.face.in_(faces) & OTHER_EMBEDDINGS.c.embedding.is_(None)
    connection.execute(delete(CROPS).where(CROPS.c.face.in_(select(OTHER_EMBEDDINGS.c.face).where(unusable))))
    connection.execute(delete(OTHER_EMBEDDINGS).where(unusable))


def get(connection: Connection, collection: int, face: str) -> KeptCrop:
    """Return the crop of a face. Raises FaceNotFound or CropNotFound."""
    joined = select(FACES.c.id, CROPS.c.crop).outerjoin_from(FACES, CROPS, CROPS.c.face == FACES.c.id)
    row = connection.execute(joined.where(FACES.c.collection == collection, FACES.c.id == face)).one_or_none()
    if row is None:
        raise FaceNotFound
    if row.crop is None:
        raise CropNotFound
    return read(cipher(connection, collection), row.id, row.crop)


def remove_all(connection: Connection, collection: int) -> int:
    """Delete all crops of the collection. The faces stay. Return how many were deleted."""
    of_collection = select(FACES.c.id).where(FACES.c.collection == collection)
    deleted: int = connection.execute(delete(CROPS).where(CROPS.c.face.in_(of_collection))).rowcount
    return deleted


def read(by: RecordCipher, face: str, stored: bytes) -> KeptCrop:
    """Return a crop as it was stored. face: the id. Raises StorageLost."""
    try:
        return KeptCrop.from_bytes(by.read_crop(face, stored))
    except ValueError:
        raise StorageLost("a stored crop is damaged") from None
