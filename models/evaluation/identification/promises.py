"""The FPIR that the calibration of a card promises, against the measured FPIR, for several sizes of gallery.

The thresholds are those of the service: `Calibration.threshold_at_fpir`. A gallery of fewer people is drawn several
times.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from models.evaluation.identification.open_set import SEED, OpenSet
from service.domain.errors import RateNotMeasured
from service.model_files.calibration import Calibration

SIZES = (10, 100, 169, 1000)
"""How many people are enrolled. In addition, all of them. 169: up to here, `sface` can promise an FPIR of 0.1 %."""

DRAWS = 10


@dataclass(frozen=True, slots=True)
class Promise:
    """What was promised and measured for one size of gallery. The measured rates are means over the draws.

    threshold_sq_l2: with the promised FPIR. None, as all that follows, if the calibration does not reach it.
    highest_fpir: of a drawn gallery.
    """

    references: int
    promised_fpir: float
    threshold_sq_l2: float | None = None
    fpir: float | None = None
    highest_fpir: float | None = None
    fnir: float | None = None


def measure_promises(calibration: Calibration, people: OpenSet, fpirs: tuple[float, ...]) -> Iterator[Promise]:
    """Measure each size of gallery with each FPIR. Strangers who are set aside are not searched."""
    everybody = len(people.references)
    for references in (*(size for size in SIZES if size < everybody), everybody):
        rng = np.random.default_rng(SEED)
        draws = DRAWS if references < everybody else 1
        enrolled = [np.sort(rng.permutation(everybody)[:references]) for _ in range(draws)]
        searches = [people.search(people_of_draw).without(people.aside) for people_of_draw in enrolled]
        for fpir in fpirs:
            try:
                threshold = calibration.threshold_at_fpir(fpir, references)
            except RateNotMeasured:
                yield Promise(references, fpir)
                continue
            measured = [search.fpir(threshold) for search in searches]
            fnir = float(np.mean([search.fnir(threshold) for search in searches]))
            yield Promise(references, fpir, threshold, float(np.mean(measured)), max(measured), fnir)
