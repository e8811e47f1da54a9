"""The table of error rates of one model, measured on a folder of people. `facenet-models calibrate` runs this.

The service measures the subjects of a collection in the same way (`service/model_files/error_rates.py`). That file says
what the rates are, and where the table begins and ends.
"""

from dataclasses import dataclass

import numpy as np

from models.calibration.thresholds import LabelledEmbeddings
from models.errors import DatasetError
from service.domain.errors import TooFewPeople
from service.model_files.calibration import Calibration
from service.model_files.error_rates import (
    COMPARED_PER_PERSON,
    Comparison,
    find_copies,
    find_people_twice,
    measure_table,
    median_of_one_person,
    table_rows,
)


@dataclass(frozen=True, slots=True, eq=False)
class CleanedFaces:
    """Photographs without copies. copies, same_people: how many photographs and people were set aside."""

    faces: Comparison
    copies: int
    same_people: int


def measure_calibration(faces: LabelledEmbeddings, folder: str) -> Calibration:
    """Measure the table. folder: the name of the folder, for `measured_on`.

    Raises DatasetError if there are too few people, or if nobody has two photographs.
    """
    cleaned = _clean(_of(faces))
    compared = cleaned.faces
    total = int(compared.counts.sum())
    try:
        rates = table_rows(measure_table(compared))
    except TooFewPeople:
        raise DatasetError("These are too few people for a table of error rates. Give at least 20 people.") from None
    return Calibration(
        people=len(compared.counts),
        impostor_pairs=compared.impostor_pairs,
        genuine_pairs=compared.genuine_pairs,
        measured_on=f"{total:,} photographs of {len(compared.counts):,} people of {folder}; set aside: "
        f"{cleaned.copies} copies of photographs, {cleaned.same_people} people under a second name",
        rates=rates,
    )


def _of(faces: LabelledEmbeddings) -> Comparison:
    taken = faces.take_first(COMPARED_PER_PERSON, np.unique(faces.people))
    return Comparison(taken.embeddings, np.unique(taken.people, return_counts=True)[1])


def _clean(compared: Comparison) -> CleanedFaces:
    """Set copies of photographs aside, and people who are in the folder twice.

    Two people count as one if half of the pairs of their photographs are nearer than half of the pairs of one person.
    """
    copies = find_copies(compared)
    without = compared.select(~copies)
    if len(without.counts) < 2 or not without.people_with_several:
        raise DatasetError("A calibration needs several people, and two photographs of most. Give more photographs.")
    twice = [again for _, again in find_people_twice(without, median_of_one_person(without))]
    return CleanedFaces(without.select(~np.isin(without.owners, twice)), int(copies.sum()), len(twice))
