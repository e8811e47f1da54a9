"""Statements about the other model of a collection: embeddings of its faces that are stored beside those in use.

At a switch, the two sets take each other's place. Every face gets a new number then, because an index, or its snapshot,
knows a vector by its number. `collection` and `subject` are keys.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Select, delete, func, select, text, update

from service.gallery.base import EmbeddingModel
from service.gallery.records.schema import COLLECTIONS, CROPS, FACES, OTHER_EMBEDDINGS, SUBJECTS
from service.gallery.records.statements import collections, faces
from service.gallery.records.statements.encryption import cipher
from service.gallery.records.statements.rows.insertion import insert_rows

_OTHER = OTHER_EMBEDDINGS.c
_KEEP_FORMER = text(
    "INSERT INTO other_embeddings (face, model_id, embedding) "
    "SELECT id, :former, embedding FROM faces WHERE collection = :collection"
)
_TAKE_OTHER = {
    "sqlite": text("""
        UPDATE faces SET number = place.fresh, embedding = place.embedding FROM (
            SELECT number, :first - 1 + row_number() OVER (ORDER BY number) AS fresh, other.embedding AS embedding
            FROM faces JOIN other_embeddings AS other ON other.face = id AND other.model_id = :model
            WHERE collection = :collection
        ) AS place WHERE faces.number = place.number
    """),
    "postgresql": text("""
        UPDATE faces SET number = fresh.number, embedding = place.embedding FROM (
            SELECT number, row_number() OVER (ORDER BY number) AS place, other.embedding
            FROM faces JOIN other_embeddings AS other ON other.face = id AND other.model_id = :model
            WHERE collection = :collection
        ) AS place JOIN unnest(CAST(:numbers AS bigint[])) WITH ORDINALITY AS fresh (number, place) USING (place)
        WHERE faces.number = place.number
    """),
}
_FORGET = text(
    "DELETE FROM other_embeddings "
    "WHERE model_id = :model AND face IN (SELECT id FROM faces WHERE collection = :collection)"
)
_HAS_VECTOR_TABLE = text("SELECT to_regclass('face_vectors') IS NOT NULL")
_REMOVE_VECTORS = text("DELETE FROM face_vectors WHERE collection = :collection")
"""Of a gallery that was searched by pgvector before. The next start with pgvector stores the new vectors."""
_NOTE_FORMER_NUMBERS = text(
    "INSERT INTO face_changes (collection, number) SELECT collection, number FROM faces WHERE collection = :collection"
)
"""The trigger notes the new numbers only. An index of another replica must lose the former ones."""
_LAST_NUMBER = text("UPDATE sqlite_sequence SET seq = :last WHERE name = 'faces'")


@dataclass(frozen=True, slots=True)
class OtherSet:
    """How many faces of a collection have an embedding by its other model.

    model: its id.
    done: how many have one. waiting: how many will get one.
    without_crop: how many cannot get one, because no crop of them is kept.
    unusable: how many have a crop that cannot be used.
    """

    model: str
    faces: int
    done: int
    waiting: int
    without_crop: int
    unusable: int


def model_of(connection: Connection, collection: int) -> str | None:
    """Return the id of the other model of the collection. None if it has none."""
    found: str | None = connection.scalar(select(COLLECTIONS.c.other_model_id).where(COLLECTIONS.c.key == collection))
    return found


def begin(connection: Connection, collection: int, model_id: str) -> None:
    """Set the other model of a collection that has none."""
    connection.execute(update(COLLECTIONS).where(COLLECTIONS.c.key == collection).values(other_model_id=model_id))


def end(connection: Connection, collection: int, model_id: str) -> None:
    """Delete the embeddings by the other model, and forget which one it is."""
    connection.execute(_FORGET, {"collection": collection, "model": model_id})
    connection.execute(update(COLLECTIONS).where(COLLECTIONS.c.key == collection).values(other_model_id=None))


def state(connection: Connection, collection: int, model_id: str) -> OtherSet:
    """Return how many faces have an embedding by the other model."""
    has_row, has_crop = _OTHER.face.is_not(None), CROPS.c.face.is_not(None)
    has_vector = _OTHER.embedding.is_not(None)
    of_kind = (has_vector, ~has_row & has_crop, ~has_row & ~has_crop, has_row & ~has_vector)
    counts: list[Any] = [func.count(), *(func.count().filter(kind) for kind in of_kind)]
    joined = _with_other(select(*counts).select_from(FACES), model_id).outerjoin(CROPS, CROPS.c.face == FACES.c.id)
    return OtherSet(model_id, *connection.execute(joined.where(FACES.c.collection == collection)).one())


def of_subject(connection: Connection, collection: int, subject: int) -> dict[str, NDArray[np.float32]]:
    """Return the embeddings of a subject by the other model, (d,) float32 each, by the ids of the faces."""
    joined = select(_OTHER.face, _OTHER.embedding).join(FACES, FACES.c.id == _OTHER.face)
    are_its = FACES.c.collection == collection, FACES.c.subject == subject, _OTHER.embedding.is_not(None)
    rows = connection.execute(joined.where(*are_its)).all()
    if not rows:
        return {}
    ids, stored = zip(*rows, strict=True)
    return dict(zip(ids, faces.to_matrix(cipher(connection, collection).read_vectors(ids, stored)), strict=True))


def waiting(connection: Connection, model_id: str, most: int) -> dict[str, list[str]]:
    """Return the ids of faces that this model is still to embed, by the ids of their collections.

    most: of each collection.
    """
    kept = COLLECTIONS.c.other_model_id == model_id
    found: dict[str, list[str]] = {}
    for key, collection in connection.execute(select(COLLECTIONS.c.key, COLLECTIONS.c.id).where(kept)).all():
        joined = _with_other(select(FACES.c.id), model_id).join(CROPS, CROPS.c.face == FACES.c.id)
        of_collection = joined.where(FACES.c.collection == key, _OTHER.face.is_(None)).limit(most)
        if ids := list(connection.scalars(of_collection)):
            found[collection] = ids
    return found


def store(
    connection: Connection, collection: int, model_id: str, embeddings: Mapping[str, NDArray[np.float32] | None]
) -> None:
    """Store embeddings by the other model, of faces that still exist and have none. None: the crop cannot be used."""
    exist = _with_other(select(FACES.c.id), model_id)
    are_these = FACES.c.id.in_(list(embeddings)), FACES.c.collection == collection, _OTHER.face.is_(None)
    to = cipher(connection, collection)
    rows = []
    for face in connection.scalars(exist.where(*are_these)):
        vector = embeddings[face]
        stored = None if vector is None else to.write_vector(face, vector.astype(faces.FLOAT32).tobytes())
        rows.append({"face": face, "model_id": model_id, "embedding": stored})
    insert_rows(connection, OTHER_EMBEDDINGS, rows)


def remove_faces_without(connection: Connection, collection: int, model_id: str) -> tuple[int, list[str]]:
    """Delete the faces that have no embedding by the other model. Return how many, and the ids of their subjects."""
    with_one = select(_OTHER.face).where(_OTHER.model_id == model_id, _OTHER.embedding.is_not(None))
    without = (FACES.c.collection == collection) & FACES.c.id.not_in(with_one)
    by = cipher(connection, collection)
    ids = connection.scalars(select(SUBJECTS.c.id).where(SUBJECTS.c.key.in_(select(FACES.c.subject).where(without))))
    about = sorted(by.read_id("subjects.id", stored) for stored in ids)
    return connection.execute(delete(FACES).where(without)).rowcount, about


def switch(connection: Connection, collection: int, former: str, to: EmbeddingModel) -> int:
    """Let the two sets of embeddings take each other's place. Return how many faces there are.

    Every face has an embedding in both. Its number in the index is a new one afterwards.
    """
    in_collection = select(func.count()).select_from(FACES).where(FACES.c.collection == collection)
    count: int = connection.execute(in_collection).scalar_one()
    numbers: Sequence[int] = list(faces.new_numbers(connection, count))
    connection.execute(_KEEP_FORMER, {"collection": collection, "former": former})
    place: dict[str, Any] = {"collection": collection, "model": to.id}
    if connection.dialect.name == "sqlite":
        connection.execute(_TAKE_OTHER["sqlite"], {**place, "first": numbers[0]})
        connection.execute(_LAST_NUMBER, {"last": numbers[-1]})
    else:
        if connection.scalar(_HAS_VECTOR_TABLE):
            connection.execute(_REMOVE_VECTORS, {"collection": collection})
        connection.execute(_NOTE_FORMER_NUMBERS, place)
        connection.execute(_TAKE_OTHER["postgresql"], {**place, "numbers": numbers})
    connection.execute(_FORGET, place)
    collections.bind_model(connection, collection, to)
    begin(connection, collection, former)
    return count


def _with_other(statement: Select[Any], model_id: str) -> Select[Any]:
    """Add the embedding by the other model to each face, if it has one."""
    is_of_face = (_OTHER.face == FACES.c.id) & (_OTHER.model_id == model_id)
    return statement.outerjoin(OTHER_EMBEDDINGS, is_of_face)
