"""The thresholds of clustering, for the card of a model. `facenet-models calibrate` runs this.

`service/model_files/clustering.py` has the rule: the threshold for k people is the distance at which the FMR is
`2 share / (k - 1)`. So only the pairs of two people are measured, and no clustering is run. `facenet-models evaluate
clustering` measures what comes of it.
"""

from models.calibration.thresholds import LabelledEmbeddings, cross_pairs
from models.errors import DatasetError
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
    pairs = cross_pairs(faces, faces)
    fmrs = {people: 2 * MIXED_SHARE / (people - 1) for people in PEOPLE}
    # each pair of photographs occurs twice
    measured = [people for people, fmr in fmrs.items() if fmr * pairs.non_mated_pairs / 2 >= MIN_NEAR_PAIRS]
    if len(measured) < 2:
        raise DatasetError("These are too few people for thresholds of clustering. Give at least 300 people.")
    thresholds = [round_down(pairs.threshold_at_fmr(fmrs[people])) for people in measured]
    if thresholds[-1] <= 0:
        raise DatasetError("Too many photographs are in the folders of several people. Remove duplicates.")
    return ClusteringThresholds(
        mixed_share=MIXED_SHARE,
        people=tuple(measured),
        thresholds_sq_l2=tuple(thresholds),
        measured_on=measured_on,
    )
