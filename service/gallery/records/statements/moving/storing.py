"""Statements that store a collection from its file. `collection` is a key, if nothing else is said."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from sqlalchemy import Connection, exists, select, update
from sqlalchemy.exc import IntegrityError

from service.domain.embedding import UNIT_TOLERANCE
from service.domain.errors import (
    CollectionNotEmpty,
    FacesExist,
    ImportOutOfOrder,
    ImportUnfinished,
    InvalidImport,
)
from service.gallery.base import EmbeddingModel, FaceToEnrol, References, Subject
from service.gallery.records.schema import COLLECTIONS, FACES, SUBJECTS
from service.gallery.records.statements import collections, faces, indexed_faces, subjects
from service.gallery.records.statements.collections import CollectionRow
from service.gallery.records.statements.encryption import cipher
from service.gallery.records.statements.moving.values import (
    CollectionFields,
    FileCounts,
    Imported,
    ImportPart,
    ImportProgress,
    MovedFace,
    checksum_of,
)
from service.gallery.records.statements.rows.insertion import insert_rows

_KEYS = {
    "sqlite": "SELECT id, key FROM subjects WHERE collection = ? AND id IN (SELECT value FROM json_each(?))",
    "postgresql": "SELECT id, key FROM subjects WHERE collection = %s AND id = ANY((%s)::text[])",
}
"""The ids are one parameter. With one for each, psycopg would take longer to read the statement than PostgreSQL."""


def store_part(connection: Connection, collection: str, part: ImportPart) -> Imported:
    """Store a part. A first or last stored part that comes again changes nothing. collection: the id.

    Raises CollectionNotFound, CollectionNotEmpty, ImportUnfinished, ImportOutOfOrder, FacesExist or InvalidImport.
    """
    row = collections.find_any(connection, collection)
    progress = None if row is None or row.unfinished_import is None else ImportProgress(**row.unfinished_import)
    if progress is not None and part.checksum in {progress.first, progress.last}:
        return Imported(progress.last, FileCounts(progress.subjects, progress.faces), is_finished=False)
    if part.first is not None:
        row, progress = _begin(connection, collection, row, part.first, part.checksum)
    if row is None or progress is None or checksum_of(progress.last, part.lines) != part.checksum:
        raise ImportOutOfOrder
    _store_lines(connection, row, part, progress.model)
    progress = replace(
        progress,
        last=part.checksum,
        subjects=progress.subjects + len(part.subjects),
        faces=progress.faces + len(part.faces),
    )
    counts = FileCounts(progress.subjects, progress.faces)
    if part.end not in {None, counts}:
        raise InvalidImport("The numbers of subjects and faces are not those of the last line.")
    _save_progress(connection, row.key, progress if part.end is None else None)
    return Imported(part.checksum, counts, is_finished=part.end is not None)


def _begin(
    connection: Connection, collection: str, row: CollectionRow | None, fields: CollectionFields, checksum: str
) -> tuple[CollectionRow, ImportProgress]:
    """Make the collection, or take the empty one."""
    if row is None:
        collections.create(connection, collection)
        row = collections.find(connection, collection)
    elif row.unfinished_import is not None:
        raise ImportUnfinished
    elif not _is_empty(connection, row.key):
        raise CollectionNotEmpty
    _set_fields(connection, row.key, fields)
    model_id, dimension = (fields.model.id, fields.model.dimension) if fields.model else (None, None)
    return row, ImportProgress(checksum, "", 0, 0, model_id, dimension)


def _store_lines(connection: Connection, row: CollectionRow, part: ImportPart, model: EmbeddingModel | None) -> None:
    if part.subjects:
        _add_subjects(connection, row.key, part.subjects)
    if not part.faces:
        return
    if model is None:
        raise InvalidImport("There are faces, and the first line names no model.")
    _require_unit_vectors(part.faces, model.dimension)
    _add_faces(connection, row.key, part.faces, model)
    if row.model is None:
        collections.bind_model(connection, row.key, model)


def _require_unit_vectors(new: Sequence[MovedFace], dimension: int) -> None:
    """Raise InvalidImport if an embedding cannot be one of the records."""
    if any(len(face.embedding) != dimension for face in new):
        raise InvalidImport("An embedding does not have the dimension of the first line.")
    rows = np.stack([face.embedding for face in new])
    with np.errstate(over="ignore", invalid="ignore"):
        squared_lengths = np.einsum("ij,ij->i", rows, rows)
    if not np.all(np.abs(squared_lengths - 1) <= 2 * UNIT_TOLERANCE):  # `<=` is false for NaN too
        raise InvalidImport("An embedding is not of unit length.")


def _is_empty(connection: Connection, collection: int) -> bool:
    """Return whether the collection has no subject, and so no face."""
    return not connection.scalar(select(exists().where(SUBJECTS.c.collection == collection)))


def _set_fields(connection: Connection, collection: int, fields: CollectionFields) -> None:
    """Give an empty collection the fields of a file. Its faces bind it to their model."""
    own = fields.own_calibration
    values = {
        "created_at": fields.created_at,
        "expires_after_days": fields.expires_after_days,
        "uses_own_calibration": fields.calibration == "own" or None,
        "calibration": own and own.model_dump(mode="json"),
    }
    connection.execute(update(COLLECTIONS).where(COLLECTIONS.c.key == collection).values(values))


def _save_progress(connection: Connection, collection: int, progress: ImportProgress | None) -> None:
    """Store how far the import is. None: it is finished."""
    stored = None if progress is None else asdict(progress)
    connection.execute(update(COLLECTIONS).where(COLLECTIONS.c.key == collection).values(unfinished_import=stored))


def _add_subjects(connection: Connection, collection: int, new: Sequence[Subject]) -> None:
    """Store subjects as they are in a file. Raises InvalidImport if one occurs twice."""
    to = cipher(connection, collection)
    try:
        insert_rows(connection, SUBJECTS, [subjects.new_row(collection, subject, to) for subject in new])
    except IntegrityError:
        raise InvalidImport("A subject occurs twice.") from None


def _add_faces(connection: Connection, collection: int, new: Sequence[MovedFace], model: EmbeddingModel) -> None:
    """Store faces as they are in a file. Raises InvalidImport if one occurs twice, or FacesExist."""
    owners = _owners(connection, collection, new)
    to, numbers = cipher(connection, collection), list(faces.new_numbers(connection, len(new)))
    rows = [
        {
            "number": number,
            "collection": collection,
            "subject": owners[face.subject],
            "id": face.id,
            "created_at": face.created_at,
            **faces.encrypted(FaceToEnrol(face.image_sha256, face.embedding), face.id, to),
        }
        for number, face in zip(numbers, new, strict=True)
    ]
    try:
        with connection.begin_nested():
            insert_rows(connection, FACES, rows)
    except IntegrityError:
        raise _taken(connection, collection, new) from None
    keys = np.array([owners[face.subject] for face in new], np.int64)
    stored = References(model, np.array(numbers, np.int64), keys, np.stack([face.embedding for face in new]))
    indexed_faces.vectors(connection).store(connection, collection, stored)


def _owners(connection: Connection, collection: int, new: Sequence[MovedFace]) -> dict[str, int]:
    """Return the keys of the subjects by id. Raises InvalidImport if one does not exist."""
    to, name = cipher(connection, collection), connection.dialect.name
    id_of = {to.write_id("subjects.id", subject): subject for subject in {face.subject for face in new}}
    wanted = list(id_of) if name == "postgresql" else json.dumps(list(id_of))
    cursor: Any = connection.connection.cursor()
    rows = cursor.execute(_KEYS[name], (collection, wanted)).fetchall()
    if len(rows) != len(id_of):
        raise InvalidImport("A face is of a subject that does not occur before it.")
    return {id_of[stored]: key for stored, key in rows}


def _taken(connection: Connection, collection: int, new: Sequence[MovedFace]) -> InvalidImport | FacesExist:
    """Return why faces cannot be stored: they are in another collection, or occur twice in the file."""
    ids = [face.id for face in new]
    elsewhere = select(exists().where(FACES.c.id.in_(ids), FACES.c.collection != collection))
    return FacesExist() if connection.scalar(elsewhere) else InvalidImport("A face, or its photograph, occurs twice.")
