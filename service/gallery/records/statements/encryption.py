"""Statements about encryption: the data keys of collections, and the records of a gallery that is still plain."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import structlog
from sqlalchemy import (
    Column,
    Connection,
    Row,
    Table,
    bindparam,
    func,
    inspect,
    select,
    update,
)

from service.domain.errors import CollectionNotFound, StorageLost
from service.gallery.records.encryption.ciphers import PLAIN, RecordCipher
from service.gallery.records.encryption.data_keys import DataKeys, WrappedDataKeys
from service.gallery.records.schema import COLLECTIONS, CROPS, FACES, OTHER_EMBEDDINGS, STORAGE, SUBJECTS

LOG = structlog.get_logger(__name__)
KEY_ID = re.compile(r"[0-9a-f]{16}", re.ASCII)
OPTION = "data_keys"
"""The option of a connection that holds its DataKeys."""
ROWS_AT_ONCE = 1_000
_GALLERY = select(STORAGE.c.gallery).scalar_subquery().label("gallery")
_DATA_KEY = select(_GALLERY, COLLECTIONS.c.id, COLLECTIONS.c.data_key).where(
    COLLECTIONS.c.key == bindparam("collection")
)
"""It is a constant because every search runs it. To build a statement takes longer than SQLite needs to run it."""


def operator_key_id(connection: Connection) -> str | None:
    """Return the id of the key that the gallery is encrypted with. None if it is plain, or of an older version.

    Raises StorageLost if it is encrypted in part. Else a change of one field could make the service write plain values,
    or encrypt what is encrypted already.
    """
    columns = inspect(connection).get_columns(STORAGE.name) if inspect(connection).has_table(STORAGE.name) else []
    if STORAGE.c.encryption_key.name not in {column["name"] for column in columns}:
        return None
    key_id = connection.scalar(select(STORAGE.c.encryption_key))
    if key_id is not None and not (isinstance(key_id, str) and KEY_ID.fullmatch(key_id)):
        raise StorageLost("the id of its encryption key is damaged")
    has_data_key = COLLECTIONS.c.data_key.is_not(None)
    if connection.scalar(select(COLLECTIONS.c.key).where(has_data_key if key_id is None else ~has_data_key).limit(1)):
        raise StorageLost("it is encrypted in part")
    return key_id


def make_data_key(connection: Connection, collection: str) -> bytes | None:
    """Make the wrapped data key of a new collection. None in a plain gallery. collection: the id."""
    return _data_keys(connection).make(_place(connection.scalar(select(STORAGE.c.gallery)), collection))


def cipher(connection: Connection, collection: int) -> RecordCipher:
    """Return how the values of a collection are written. collection: the key. Raises CollectionNotFound."""
    keys = _data_keys(connection)
    if keys.key_id is None:
        return PLAIN
    row = connection.execute(_DATA_KEY, {"collection": collection}).one_or_none()
    if row is None:
        raise CollectionNotFound
    return keys.cipher(_place(row.gallery, row.id), row.data_key)


def encrypt_all(connection: Connection) -> None:
    """Give every collection a data key, and encrypt its records. The log says how far it is."""
    keys = _data_keys(connection)
    faces = connection.execute(select(func.count()).select_from(FACES)).scalar_one()
    LOG.info("gallery_encryption_started", faces=faces)
    for key, collection in connection.execute(select(COLLECTIONS.c.key, COLLECTIONS.c.id)).all():
        wrapped = make_data_key(connection, collection)
        connection.execute(update(COLLECTIONS).where(COLLECTIONS.c.key == key).values(data_key=wrapped))
        _encrypt_subjects(connection, key, cipher(connection, key))
        _encrypt_faces(connection, key, cipher(connection, key))
        _encrypt_crops(connection, key, cipher(connection, key))
        _encrypt_other_embeddings(connection, key, cipher(connection, key))
    connection.execute(update(STORAGE).values(encryption_key=keys.key_id))


def rewrap_all(connection: Connection, keys: WrappedDataKeys, new: WrappedDataKeys) -> int:
    """Wrap all data keys with another key of the operator. Return how many. The records stay as they are."""
    columns = _GALLERY, COLLECTIONS.c.key, COLLECTIONS.c.id, COLLECTIONS.c.data_key
    wrapped = connection.execute(select(*columns)).all()
    for row in wrapped:
        data_key = keys.rewrap(_place(row.gallery, row.id), row.data_key, new)
        connection.execute(update(COLLECTIONS).where(COLLECTIONS.c.key == row.key).values(data_key=data_key))
    connection.execute(update(STORAGE).values(encryption_key=new.key_id))
    return len(wrapped)


def _data_keys(connection: Connection) -> DataKeys:
    keys: DataKeys = connection.get_execution_options()[OPTION]
    return keys


def _place(gallery: str | None, collection: str) -> str:
    """Return what a data key is bound to. So it is not accepted in another gallery that has the same key file."""
    return f"{gallery}/{collection}"  # an id has no slash


def _encrypt_subjects(connection: Connection, collection: int, to: RecordCipher) -> None:
    columns = SUBJECTS.c.id, SUBJECTS.c.name, SUBJECTS.c.metadata
    for rows in _batches(connection, SUBJECTS, SUBJECTS.c.key, collection, columns):
        encrypted = [
            {
                "row": row.key,
                "id": to.write_id("subjects.id", row.id),
                "name": to.write_value("subjects.name", row.id, row.name),
                "metadata": to.write_value("subjects.metadata", row.id, row.metadata),
            }
            for row in rows
        ]
        connection.execute(update(SUBJECTS).where(SUBJECTS.c.key == bindparam("row")), encrypted)


def _encrypt_faces(connection: Connection, collection: int, to: RecordCipher) -> None:
    columns = FACES.c.id, FACES.c.image_sha256, FACES.c.embedding
    done = 0
    for rows in _batches(connection, FACES, FACES.c.number, collection, columns):
        encrypted = [
            {
                "row": row.number,
                "image_sha256": to.write_id("faces.image_sha256", row.image_sha256),
                "embedding": to.write_vector(row.id, row.embedding),
            }
            for row in rows
        ]
        connection.execute(update(FACES).where(FACES.c.number == bindparam("row")), encrypted)
        done += len(rows)
        LOG.info("gallery_encryption", collection=collection, faces=done)


def _encrypt_crops(connection: Connection, collection: int, to: RecordCipher) -> None:
    """Encrypt one crop after the other: each can have 100 kB."""
    of_collection = select(CROPS.c.face).join(FACES, FACES.c.id == CROPS.c.face)
    for face in connection.scalars(of_collection.where(FACES.c.collection == collection)).all():
        is_one = CROPS.c.face == face
        plain = connection.execute(select(CROPS.c.crop).where(is_one)).scalar_one()
        connection.execute(update(CROPS).where(is_one).values(crop=to.write_crop(face, plain)))


def _encrypt_other_embeddings(connection: Connection, collection: int, to: RecordCipher) -> None:
    """Encrypt the embeddings by the other model, some at a time. A collection has one other model."""
    columns, last = OTHER_EMBEDDINGS.c, ""
    joined = select(columns.face, columns.embedding).join(FACES, FACES.c.id == columns.face)
    of_collection = joined.where(FACES.c.collection == collection, columns.embedding.is_not(None))
    ordered = of_collection.order_by(columns.face).limit(ROWS_AT_ONCE)
    while rows := connection.execute(ordered.where(columns.face > last)).all():
        encrypted = [{"row": row.face, "embedding": to.write_vector(row.face, row.embedding)} for row in rows]
        connection.execute(update(OTHER_EMBEDDINGS).where(columns.face == bindparam("row")), encrypted)
        last = rows[-1].face


def _batches(
    connection: Connection, table: Table, key: Column[int], collection: int, columns: Sequence[Column[Any]]
) -> Iterator[Sequence[Row[Any]]]:
    """Read the rows of a collection in the order of their keys, some at a time."""
    last = 0
    of_collection = select(key, *columns).where(table.c.collection == collection).order_by(key).limit(ROWS_AT_ONCE)
    while rows := connection.execute(of_collection.where(key > last)).all():
        yield rows
        last = rows[-1][0]
