"""All statements of one change: enrol faces of one subject or of many, delete a subject or a face.

`collection` is an id.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection

from service.domain.errors import CollectionNotFound
from service.domain.face import KeptCrop
from service.gallery.base import (
    EmbeddingModel,
    EnrolledForAnother,
    EnrolmentOutcome,
    FaceOfSubject,
    FaceToEnrol,
    References,
    SubjectToCreate,
)
from service.gallery.records.statements import collections, faces, indexed_faces, storage, subjects
from service.gallery.records.statements.collections import CollectionRow
from service.gallery.records.statements.faces import EnrolledPhotograph, StoredFace
from service.gallery.records.statements.kept import crops
from service.observability.outcomes import note_subject

NO_SUBJECT = 0
"""No subject has this key. It stands for a subject that does not exist, and gets no face."""


@dataclass(frozen=True, slots=True, eq=False)
class Enrolment:
    """The outcome of each face, and what the index of the collection gets. references: None if nothing was stored."""

    outcomes: list[EnrolmentOutcome]
    references: References | None


def enrol(
    connection: Connection, collection: str, subject: str, new: Sequence[FaceToEnrol], model: EmbeddingModel
) -> Enrolment:
    """Store the faces of one subject whose photographs are not enrolled in the collection.

    A face that is enrolled already gets the crop that is to be kept, if it has none.
    Raises CollectionNotFound, SubjectNotFound or ModelMismatch.
    """
    row = collections.find(connection, collection)
    subject_key = subjects.find_key(connection, row.key, subject)
    model.require_same(row.model)
    known = faces.find_photographs(connection, row.key, {face.image_sha256 for face in new})
    return _store(connection, row, [(subject_key, face) for face in new], known, model)


def enrol_block(
    connection: Connection, collection: str, new: Sequence[FaceOfSubject], model: EmbeddingModel
) -> Enrolment:
    """Store the faces whose photographs are not enrolled in the collection, and create the subjects that they need.

    A subject that exists keeps its name and its metadata. A subject whose faces are all refused is not created.
    Raises CollectionNotFound or ModelMismatch.
    """
    row = collections.find(connection, collection)
    model.require_same(row.model)
    known = faces.find_photographs(connection, row.key, {one.face.image_sha256 for one in new})
    keys = subjects.find_keys(connection, row.key, {one.subject.id for one in new if one.subject.id})
    keys |= subjects.create_all(connection, row.key, _needed_subjects(new, known, keys))
    with_keys = [(keys.get(one.subject.id or "", NO_SUBJECT), one.face) for one in new]
    return _store(connection, row, with_keys, known, model)


def _needed_subjects(
    new: Sequence[FaceOfSubject], known: Mapping[str, EnrolledPhotograph], keys: Mapping[str, int]
) -> list[SubjectToCreate]:
    """Return the missing subjects of the faces that will be stored. The first face of a subject describes it."""
    needed: dict[str, SubjectToCreate] = {}
    seen = set(known)
    for one in new:
        subject = one.subject.id or ""
        if one.face.image_sha256 not in seen and subject not in keys:
            needed.setdefault(subject, one.subject)
        seen.add(one.face.image_sha256)
    return list(needed.values())


def _store(
    connection: Connection,
    row: CollectionRow,
    new: Sequence[tuple[int, FaceToEnrol]],
    known: Mapping[str, EnrolledPhotograph],
    model: EmbeddingModel,
) -> Enrolment:
    outcomes, stored = faces.store(connection, row.key, new, known)
    crops.store(connection, row.key, _crops(new, outcomes))
    if not stored:
        return Enrolment(outcomes, None)
    if row.model is None:
        collections.bind_model(connection, row.key, model)
    references = _references(model, stored)
    indexed_faces.vectors(connection).store(connection, row.key, references)
    return Enrolment(outcomes, references)


def _crops(new: Sequence[tuple[int, FaceToEnrol]], outcomes: Sequence[EnrolmentOutcome]) -> dict[str, KeptCrop]:
    """Return what is to be kept of the faces of the right subject, by the ids of the faces."""
    return {
        outcome.face: face.crop
        for (_, face), outcome in zip(new, outcomes, strict=True)
        if face.crop is not None and not isinstance(outcome, EnrolledForAnother)
    }


def _references(model: EmbeddingModel, stored: Sequence[StoredFace]) -> References:
    numbers = np.array([one.number for one in stored], np.int64)
    owners = np.array([one.subject for one in stored], np.int64)
    return References(model, numbers, owners, np.stack([one.face.embedding for one in stored]))


def delete_collection(connection: Connection, collection: str) -> None:
    """Delete the collection with all it holds, also if its import is not finished. Raises CollectionNotFound."""
    row = collections.find_any(connection, collection)
    if row is None:
        raise CollectionNotFound
    collections.remove(connection, collection)
    indexed_faces.vectors(connection).remove_collection(connection, row.key)


def delete_subject(connection: Connection, collection: str, subject: str) -> list[int]:
    """Delete the subject. Return the numbers of its faces. Raises CollectionNotFound or SubjectNotFound."""
    key = collections.find(connection, collection).key
    numbers = subjects.remove(connection, key, subject)
    _finish_deletion(connection, key, numbers)
    return numbers


def delete_face(connection: Connection, collection: str, face: str) -> list[int]:
    """Delete the face, and note whose it was. Return its number. Raises CollectionNotFound or FaceNotFound."""
    key = collections.find(connection, collection).key
    note_subject(collection, faces.get(connection, key, face).subject)
    number = faces.remove(connection, key, face)
    _finish_deletion(connection, key, [number])
    return [number]


def _finish_deletion(connection: Connection, key: int, numbers: Sequence[int]) -> None:
    """key: of the collection. numbers: of the deleted faces."""
    indexed_faces.vectors(connection).remove(connection, key, numbers)
    collections.unbind_model_if_empty(connection, key)
    storage.set_needs_rewrite(connection)


def joined_references(enrolled: Sequence[Enrolment]) -> References | None:
    """Return what the index gets of several enrolments in one collection. None if nothing was stored."""
    parts = [one.references for one in enrolled if one.references is not None]
    if not parts:
        return None
    rows = [(part.numbers, part.subjects, part.embeddings) for part in parts]
    return References(parts[0].model, *(np.concatenate(column) for column in zip(*rows, strict=True)))
