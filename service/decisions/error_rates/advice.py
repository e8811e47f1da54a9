"""What to set for an error rate: `facenet threshold` prints this. It needs the card of a model, and no request."""

import math
from collections.abc import Iterator

from service.domain.errors import RateNotMeasured
from service.model_files.calibration import Calibration
from service.model_files.card import EmbedderCard


def advise_fmr(card: EmbedderCard, fmr: float, photographs: int = 1) -> Iterator[str]:
    """Return the lines for a verification. photographs: of the subject that is compared. Raises RateNotMeasured."""
    calibration = _require_calibration(card)
    threshold = _round_down(calibration.threshold_at_fmr(fmr, photographs))
    yield f"{card.name}: threshold {threshold:.3f}, a squared L2 distance."
    if photographs == 1:
        yield f"Two people match in {_share(fmr)} of comparisons (FMR)."
        yield _misses(calibration, threshold)
    else:
        yield f"Another person matches one of {photographs:,} photographs in at most {_share(fmr)} of requests (FMR)."
        yield f"{_misses(calibration, threshold)} The nearest photograph counts, so fewer people are missed."
    yield f"In a request: POST /verify?max_fmr={fmr:g}, or POST /verify?threshold={threshold:.3f}."
    yield _measured(calibration)


def advise_fpir(card: EmbedderCard, fpir: float, people: int, photographs: int = 1) -> Iterator[str]:
    """Return the lines for an identification. photographs: enrolled of each of the people. Raises RateNotMeasured."""
    calibration, references = _require_calibration(card), people * photographs
    threshold = _round_down(calibration.threshold_at_fpir(fpir, references))
    yield f"{card.name}: threshold {threshold:.3f}, a squared L2 distance."
    yield f"Enrolled people: {people:,}. Photographs of each: {photographs:,}. Enrolled faces: {references:,}."
    yield f"A stranger gets a match in at most {_share(fpir)} of searches (FPIR)."
    yield _misses(calibration, threshold)
    yield f"In a request: POST /identify?max_fpir={fpir:g}, or POST /identify?threshold={threshold:.3f}."
    yield _measured(calibration)


def _misses(calibration: Calibration, threshold_sq_l2: float) -> str:
    fnmr = calibration.fnmr(threshold_sq_l2)
    if fnmr is None:
        return "How often two photographs of one person do not match (FNMR) was not measured."
    return f"Two photographs of one person do not match in {_share(fnmr)} of comparisons (FNMR)."


def _measured(calibration: Calibration) -> str:
    return f"Measured on {calibration.measured_on}. With better photographs than these, fewer do not match."


def _share(rate: float) -> str:
    return f"{100 * rate:.3g} %"


def _round_down(threshold_sq_l2: float) -> float:
    """Round down to three decimals, so that the rate is not above the requested one."""
    return math.floor(1000 * threshold_sq_l2) / 1000


def _require_calibration(card: EmbedderCard) -> Calibration:
    if card.calibration is None:
        raise RateNotMeasured(
            f"The card of {card.name} has no calibration. Run facenet-models calibrate to measure one."
        )
    return card.calibration
