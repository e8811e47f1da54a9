"""The calibration of a collection: how often its subjects match each other. It is measured when somebody asks for it.

The subjects of a collection can be more alike, or have worse photographs, than the people of the card. Strangers
who come to the same camera are alike in the same way, so the FMR between subjects is the one to expect.
"""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from pydantic import BaseModel, ConfigDict

from service.domain.errors import TooFewPeople
from service.model_files.calibration import OwnCalibration, RatesAtThreshold
from service.model_files.error_rates import (
    SAME_PHOTOGRAPH_SQ_L2,
    FacesOfPeople,
    find_copies,
    find_people_twice,
    measure_table,
    median_of_one_person,
)

MIN_PEOPLE_WITH_SEVERAL = 30
"""With fewer people who have several photographs, the FNMR is not known."""

ONE_PERSON_SHARE = 0.75
"""Nearer than this share of the lowest threshold of the card, hardly any strangers are."""


@dataclass(frozen=True, slots=True)
class MeasuredPeople:
    """What was measured on people.

    copies: how many photographs were set aside because they are copies.
    twice: the people who look like one: (the one that was kept, the one that was set aside), as numbers.
    """

    table: OwnCalibration
    copies: int
    twice: list[tuple[int, int]]


class CollectionCalibration(BaseModel):
    """A calibration as it is stored with its collection.

    model_id: the model of the embeddings.
    subjects: how many subjects had a face.
    copies, duplicates: how many faces and subjects were set aside.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    table: OwnCalibration
    model_id: str
    measured_at: datetime
    subjects: int
    copies: int
    duplicates: int


def measure_people(compared: FacesOfPeople, lowest_sq_l2: float | None) -> MeasuredPeople:
    """Measure the table. It may take long, so it runs in a process of its own.

    lowest_sq_l2: the lowest threshold in the card of the model. None if the card has no calibration.
    Raises TooFewPeople.
    """
    copies = find_copies(compared)
    twice = find_people_twice(compared, _near(compared.select(~copies), lowest_sq_l2))
    people = compared.select(~copies & ~np.isin(compared.owners, [again for _, again in twice]))
    measured_on = f"{len(people.embeddings):,} faces of {len(people.counts):,} subjects of the collection"
    try:
        table = measure_table(people, OwnCalibration, measured_on)
    except TooFewPeople:
        raise TooFewPeople(len(people.counts), len(compared.counts) - len(people.counts)) from None
    if people.people_with_several < MIN_PEOPLE_WITH_SEVERAL:
        table = table.model_copy(update={"rates": tuple(_without_fnmr(row) for row in table.rates)})
    return MeasuredPeople(table, int(copies.sum()), twice)


def _near(compared: FacesOfPeople, lowest_sq_l2: float | None) -> float:
    """Return the distance below which two subjects look like one person.

    It is far below the thresholds of the card, and not above the distance of half of the pairs of one person. With a
    higher distance, strangers who are alike would be set aside, and the FMR would be too low. If neither is known, only
    copies are found.
    """
    known = [] if lowest_sq_l2 is None else [ONE_PERSON_SHARE * lowest_sq_l2]
    if compared.people_with_several >= MIN_PEOPLE_WITH_SEVERAL:
        known.append(median_of_one_person(compared))
    return min(known, default=SAME_PHOTOGRAPH_SQ_L2)


def _without_fnmr(row: RatesAtThreshold) -> RatesAtThreshold:
    return row.model_copy(update={"fnmr": None, "fnmr_interval": None})
