"""The thresholds of clustering, for the card of a model. `facenet-models calibrate` runs this.

`service/model_files/clustering.py` has the rule: the threshold for k people is the distance at which the FMR is
`2 share / (k - 1)`. So only the pairs of two people are measured, and no clustering is run. `facenet-models evaluate
clustering` measures what comes of it.
"""

import math
from collections.abc import Sequence

import numpy as np

from models.calibration.thresholds import PROBES_PER_PERSON, LabelledEmbeddings, cross_pairs
from models.errors import DatasetError
from models.evaluation.metrics.clustering import People
from models.evaluation.metrics.labelled_pairs import round_down
from service.model_files.clustering import ClusteringThresholds

MIXED_SHARE = 0.01
PEOPLE = (10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000)
MIN_NEAR_PAIRS = 30
"""A threshold is measured if at least so many pairs of two people are nearer.

With 30, the true rate is within 30 % of the measured rate with a probability of 90 % (the rule of 30: Doddington and
others, 2000).
"""


def find_clustering_thresholds(faces: LabelledEmbeddings, measured_on: str) -> ClusteringThresholds:
    """Measure the threshold for each of PEOPLE, as far as there are enough pairs.

    measured_on: the data, in words.
    Raises DatasetError if there are too few people for two thresholds, or if too many photographs are in the folders of
    several people.
    """
    require_enough_pairs(faces.people)
    pairs = cross_pairs(faces, faces)
    measured = _measurable(pairs.non_mated_pairs // 2)  # each pair of photographs occurs twice
    thresholds = [round_down(pairs.threshold_at_fmr(_fmr(people))) for people in measured]
    if thresholds[-1] <= 0:
        raise DatasetError("Too many photographs are in the folders of several people. Remove duplicates.")
    return ClusteringThresholds(
        mixed_share=MIXED_SHARE,
        people=tuple(measured),
        thresholds_sq_l2=tuple(thresholds),
        measured_on=measured_on,
    )


def require_enough_pairs(people: People | Sequence[int]) -> None:
    """Raise DatasetError if there are too few non-mated pairs for two thresholds.

    people: the number of the person on each photograph.
    """
    counts = np.minimum(np.unique(people, return_counts=True)[1], PROBES_PER_PERSON)
    pairs = int(counts.sum() ** 2 - (counts**2).sum()) // 2
    if len(_measurable(pairs)) < 2:
        needed = math.ceil(MIN_NEAR_PAIRS / _fmr(PEOPLE[1]))
        raise DatasetError(
            f"The thresholds of clustering need {needed:,} pairs of photographs of two people; there are {pairs:,}. At "
            f"most {PROBES_PER_PERSON} photographs of a person count. Give at least 300 people, or several photographs "
            "of 100."
        )


def _fmr(people: int) -> float:
    return 2 * MIXED_SHARE / (people - 1)


def _measurable(non_mated_pairs: int) -> list[int]:
    """Return those of PEOPLE for which there are enough pairs."""
    return [people for people in PEOPLE if _fmr(people) * non_mated_pairs >= MIN_NEAR_PAIRS]
