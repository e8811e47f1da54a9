"""The table of error rates of one model, measured on a folder of people. `facenet-models calibrate` runs this.

The service measures the subjects of a collection in the same way (`service/model_files/error_rates.py`). That file says
what the rates are, and where the table begins and ends.
"""

from collections.abc import Sequence

import numpy as np

from models.calibration.thresholds import LabelledEmbeddings
from models.errors import DatasetError
from models.evaluation.metrics.clustering import People
from service.domain.errors import TooFewPeople
from service.model_files.calibration import Calibration
from service.model_files.error_rates import (
    COMPARED_PER_PERSON,
    FacesOfPeople,
    find_copies,
    find_people_twice,
    measure_table,
    median_of_one_person,
)


def measure_calibration(faces: LabelledEmbeddings, folder: str) -> Calibration:
    """Measure the table. folder: the name of the folder, for `measured_on`.

    Raises DatasetError if there are too few people, or if nobody has two photographs.
    """
    given = _compared(faces)
    compared = without_copies(given)
    require_several_photographs(np.repeat(np.arange(len(compared.counts)), compared.counts))
    total = len(compared.embeddings)
    measured_on = (
        f"{total:,} photographs of {len(compared.counts):,} people of {folder}; "
        f"{len(given.embeddings) - total} copies of photographs were left out"
    )
    try:
        return measure_table(compared, Calibration, measured_on)
    except TooFewPeople:
        raise DatasetError("These are too few people for a table of error rates. Give at least 20 people.") from None


def require_several_photographs(people: People | Sequence[int]) -> None:
    """Raise DatasetError if there are not several people, or if nobody has two photographs.

    people: the number of the person on each photograph.
    """
    counts = np.unique(people, return_counts=True)[1]
    if len(counts) < 2 or counts.max() < 2:
        raise DatasetError("A calibration needs several people, and two photographs of most. Give more photographs.")


def without_copies(compared: FacesOfPeople) -> FacesOfPeople:
    """Leave out copies of photographs."""
    return compared.select(~find_copies(compared))


def find_alike(faces: LabelledEmbeddings) -> list[tuple[int, int]]:
    """Return the pairs of people who may be one person under two names, as numbers of `faces`.

    They are not left out of the table: a weak model also finds different people this alike, and the table must count
    these errors.
    """
    compared, numbers = _compared(faces), np.unique(faces.people)
    pairs = find_people_twice(compared, median_of_one_person(compared))
    return sorted((int(numbers[min(pair)]), int(numbers[max(pair)])) for pair in pairs)


def _compared(faces: LabelledEmbeddings) -> FacesOfPeople:
    """Take at most COMPARED_PER_PERSON photographs of each person."""
    taken = faces.take_first(COMPARED_PER_PERSON, np.unique(faces.people))
    return FacesOfPeople(taken.embeddings, np.unique(taken.people, return_counts=True)[1])
