"""A card's entry for a compatible model, measured on people whom neither of the two was trained on.

The old model made a gallery, the new one makes the probes, and its card says at which distance the two agree.

Verification: the largest threshold at which the new model against the old one takes strangers for one person no more
often than the old one does at its own threshold, 1.242. So a gallery that another model searches becomes no less safe,
and what that costs shows as FNMR. (A threshold of best accuracy would move with the share of pairs of one person.)

Identification: as in `calibration.py`, once with the new model's probes in galleries of the old one and once the other
way round. The lower threshold is taken, so that it holds whichever of the two made the probe.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.calibration import SEED, Faces, error_rate, every_pair, identification_threshold
from models.embedding import embed_files
from models.errors import DatasetError
from models.evaluation import metrics
from models.evaluation.compatibility import check_dimensions
from models.evaluation.identities import Identities
from service.card import Compatible, EmbedderCard, Identification, PairThresholds
from service.pipeline import PipelineOptions, open_embedder


@dataclass(frozen=True, slots=True, eq=False)
class Both:
    """The same photographs, row by row, embedded by the old model and by the new one. measured_on: what they are."""

    old: Faces
    new: Faces
    measured_on: str

    def __post_init__(self) -> None:
        if not np.array_equal(self.old.people, self.new.people):
            raise DatasetError("The two models were not given the same photographs; use one detector for both.")


def embed_both(
    old: PipelineOptions, new: PipelineOptions, identities: Identities, folder: str, done: Callable[[], object]
) -> Both:
    """identities: as `read_identities` gives them, PROBES_PER_PERSON photographs of each person; more are not used.

    folder: what the card is to call them. `done` is called after each photograph, once for each model. Photographs
    without a face are left out. Raises DatasetError for one that cannot be read, InvalidModel as `check_dimensions`
    does.
    """
    check_dimensions(open_embedder(old).card, open_embedder(new).card)
    of_old, of_new = (_faces(options, identities, done) for options in (old, new))
    people = len(np.unique(of_old.people))
    return Both(of_old, of_new, f"{len(of_old.people):,} photographs of {people:,} people of {folder}")


def _faces(options: PipelineOptions, identities: Identities, done: Callable[[], object]) -> Faces:
    embeddings, rows = embed_files(options, identities.files, done)
    return Faces(embeddings, identities.people[rows], len(identities.files) - len(rows))


def compatible(old: EmbedderCard, both: Both, references: int, fpir: float) -> Compatible:
    """The old model's entry in the new one's card, but for `results`. references, fpir: of identification.

    Takes 12 bytes for each photograph and each other one: 1.2 GB for 10,000. Raises DatasetError where there are not
    more people than references.
    """
    verification = _verification(both, old.thresholds.verification)
    identification = _identification(both, references, fpir)
    return Compatible(
        name=old.name,
        id=old.id,
        thresholds=PairThresholds(
            verification=verification,
            identification=Identification(threshold_sq_l2=identification, fpir=fpir, references=references),
            chosen_on=f"{both.measured_on}; verification: the FMR of {old.name} at {old.thresholds.verification:g}",
        ),
        error_rates=(error_rate(both.new, both.old, verification, both.measured_on),),
    )


def _verification(both: Both, own: float) -> float:
    """own: the old model's threshold with itself. Squared L2."""
    fmr = metrics.false_accept_rate(*every_pair(both.old, both.old), own)
    return _safe(metrics.threshold_at(*every_pair(both.new, both.old), fmr))


def _identification(both: Both, references: int, fpir: float) -> float:
    ways = (both.new, both.old), (both.old, both.new)
    found = [identification_threshold(*way, references, fpir, np.random.default_rng(SEED)) for way in ways]
    return _safe(min(found))


def _safe(sq_l2: float) -> float:
    """Rounded down. Raises DatasetError where nothing is left: a threshold of 0 accepts nobody."""
    rounded = metrics.rounded_down(sq_l2)
    if rounded <= 0:
        raise DatasetError(
            "At no threshold do the two models tell these people apart as safely as the older one does. They are not "
            "compatible, or the people are too few."
        )
    return rounded
