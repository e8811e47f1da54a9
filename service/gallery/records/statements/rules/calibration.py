"""Statements about the calibration of a collection. `key` is the key of the collection."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from sqlalchemy import Connection, func, select, update

from service.domain.errors import CalibrationNotFound, StorageLost, TooFewPeople
from service.gallery.base import DrawnPeople
from service.gallery.records.schema import COLLECTIONS, FACES
from service.gallery.records.statements import faces, subjects
from service.model_files.calibration import CalibrationSource
from service.model_files.error_rates import COMPARED_PER_PERSON, SEED, FacesOfPeople
from service.model_files.own_calibration import CollectionCalibration

MAX_SUBJECTS = 1_000
MAX_FACES = 4_000
"""How many are compared at most. This bounds the time and the memory. Of more, some are drawn at random."""
SUBJECTS_PER_STATEMENT = 500


def draw_people(connection: Connection, key: int) -> DrawnPeople:
    """Draw subjects that have a face. Always the same ones are drawn, as long as no subject is added or removed.

    Raises TooFewPeople if fewer than two subjects have a face.
    """
    counted = select(FACES.c.subject, func.count()).where(FACES.c.collection == key)
    rows = connection.execute(counted.group_by(FACES.c.subject).order_by(FACES.c.subject)).all()
    if len(rows) < 2:
        raise TooFewPeople(len(rows))
    drawn = _draw(np.array([(subject, count) for subject, count in rows], np.int64))
    read = [faces.first_of_subjects(connection, key, part, COMPARED_PER_PERSON) for part in _parts(drawn.tolist())]
    counts = np.unique(np.concatenate([owners for owners, _ in read]), return_counts=True)[1]
    ids = [subject for part in _parts(drawn.tolist()) for subject in subjects.ids(connection, key, part)]
    return DrawnPeople(key, tuple(ids), FacesOfPeople(np.concatenate([one for _, one in read]), counts), len(rows))


def save(connection: Connection, key: int, measured: CollectionCalibration) -> None:
    """Store the calibration in place of the one before."""
    stored = measured.model_dump(mode="json")
    connection.execute(update(COLLECTIONS).where(COLLECTIONS.c.key == key).values(calibration=stored))


def get(connection: Connection, key: int) -> CollectionCalibration:
    """Return the calibration. Raises CalibrationNotFound."""
    stored = connection.scalar(select(COLLECTIONS.c.calibration).where(COLLECTIONS.c.key == key))
    if stored is None:
        raise CalibrationNotFound
    try:
        return CollectionCalibration.model_validate(stored)
    except ValidationError:
        raise StorageLost("a stored calibration is damaged") from None


def collections_with_own(connection: Connection) -> frozenset[str]:
    """Return the ids of the collections that are set to their own calibration."""
    return frozenset(connection.scalars(select(COLLECTIONS.c.id).where(COLLECTIONS.c.uses_own_calibration)))


def choose(connection: Connection, key: int, source: CalibrationSource) -> None:
    """Set which calibration a search uses. Raises CalibrationNotFound if the collection has none of its own."""
    if source == "own":
        get(connection, key)
    chosen = update(COLLECTIONS).where(COLLECTIONS.c.key == key)
    connection.execute(chosen.values(uses_own_calibration=source == "own"))


def remove(connection: Connection, key: int) -> None:
    """Delete the calibration. Searches then use that of the model. Raises CalibrationNotFound."""
    stored = COLLECTIONS.c.calibration.is_not(None)  # it is not read: a damaged one can be deleted too
    if connection.scalar(select(COLLECTIONS.c.key).where(COLLECTIONS.c.key == key, stored)) is None:
        raise CalibrationNotFound
    removal = update(COLLECTIONS).where(COLLECTIONS.c.key == key)
    connection.execute(removal.values(calibration=None, uses_own_calibration=None))


def _draw(counted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Draw subjects until one of the limits is reached. counted: (m, 2), keys and numbers of faces."""
    drawn = np.random.default_rng(SEED).permutation(counted)[:MAX_SUBJECTS]
    taken = np.minimum(drawn[:, 1], COMPARED_PER_PERSON).cumsum()
    return np.sort(drawn[taken <= MAX_FACES, 0])


def _parts(keys: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(keys), SUBJECTS_PER_STATEMENT):
        yield keys[start : start + SUBJECTS_PER_STATEMENT]
