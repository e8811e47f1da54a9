"""Which threshold a decision uses, and which error rates are expected there.

The caller gives a threshold, or the highest error rate to accept, or nothing. The rates come from the calibration in
the model's card, which `service/model_files/calibration.py` explains.
"""

from dataclasses import dataclass

from service.decisions.model_comparison import ModelComparison
from service.domain.errors import InvalidOption, RateNotMeasured
from service.model_files.calibration import DEFAULT_MAX_FPIR, Calibration

NO_CALIBRATION = (
    "The card of the model has no calibration for this comparison. facenet-models calibrate measures one, for the "
    "embeddings of one model."
)


@dataclass(frozen=True, slots=True)
class GivenThreshold:
    """The caller gives a distance. squared L2."""

    threshold_sq_l2: float


@dataclass(frozen=True, slots=True)
class MaxRate:
    """The caller gives the highest error rate to accept: FMR in a verification, FPIR in an identification."""

    rate: float


RequestedThreshold = GivenThreshold | MaxRate | None
"""What the caller asks for. None: the default of the model."""


def requested_threshold(threshold_sq_l2: float | None, max_rate: float | None, name: str) -> RequestedThreshold:
    """Return what the caller asks for. name: the option of the rate. Raises InvalidOption if both are given."""
    if threshold_sq_l2 is not None and max_rate is not None:
        raise InvalidOption(f"Pass `threshold` or `{name}`, not both.")
    if threshold_sq_l2 is not None:
        return GivenThreshold(threshold_sq_l2)
    return None if max_rate is None else MaxRate(max_rate)


@dataclass(frozen=True, slots=True)
class ExpectedRates:
    """The rates that the calibration expects at a threshold.

    fmr, fnmr: None if they were not measured.
    missing: why they are None, in words.
    """

    fmr: float | None
    fnmr: float | None
    missing: str | None


@dataclass(frozen=True, slots=True)
class ExpectedFpir:
    """The FPIR that the calibration expects at a threshold.

    fpir: None if it was not measured.
    missing: why it is None, in words.
    """

    fpir: float | None
    missing: str | None


def verification_threshold(comparison: ModelComparison, requested: RequestedThreshold, pairs: int = 1) -> float:
    """Return the threshold of a verification, squared L2.

    pairs: how many pairs of embeddings are compared. With several photographs of a subject, they are several.
    Raises RateNotMeasured.
    """
    match requested:
        case GivenThreshold(threshold_sq_l2):
            return threshold_sq_l2
        case MaxRate(fmr):
            return _require_calibration(comparison).threshold_at_fmr(fmr, pairs)
        case None:
            return comparison.thresholds.verification


def identification_threshold(comparison: ModelComparison, requested: RequestedThreshold, references: int) -> float:
    """Return the threshold of a 1:N search, squared L2.

    references: how many faces are enrolled. All of them count, also several of one subject: two more photographs of
    each person raise the FPIR 2.4 to 2.8 times.
    Raises RateNotMeasured. Raises InvalidOption if the card has no threshold, and the caller gives none.
    """
    match requested:
        case GivenThreshold(threshold_sq_l2):
            return threshold_sq_l2
        case MaxRate(fpir):
            calibration = _require_calibration(comparison)
            if references == 0 and fpir < calibration.lowest_fpir(references):
                return calibration.lowest_threshold  # nobody is enrolled, so nobody matches at any threshold
            return calibration.threshold_at_fpir(fpir, references)
        case None:
            return _default_identification_threshold(comparison, references)


def rates_at(comparison: ModelComparison, threshold_sq_l2: float, pairs: int = 1) -> ExpectedRates:
    """Return the FMR of a verification that compares so many pairs, and the FNMR of one pair.

    With several photographs of a subject, fewer mated probes are missed than the FNMR says.
    """
    calibration = comparison.calibration
    if calibration is None:
        return ExpectedRates(None, None, NO_CALIBRATION)
    fmr, fnmr = calibration.fmr(threshold_sq_l2, pairs), calibration.fnmr(threshold_sq_l2)
    return ExpectedRates(fmr, fnmr, _missing_rates(calibration, threshold_sq_l2) if fmr is None else None)


def fpir_at(comparison: ModelComparison, threshold_sq_l2: float, references: int) -> ExpectedFpir:
    """Return the FPIR of a 1:N search in this many enrolled faces. With no face, nobody gets a match: it is 0."""
    calibration = comparison.calibration
    if references == 0:
        return ExpectedFpir(0.0, None)
    if calibration is None:
        return ExpectedFpir(None, NO_CALIBRATION)
    fpir = calibration.fpir(threshold_sq_l2, references)
    return ExpectedFpir(fpir, _missing_fpir(calibration, threshold_sq_l2, references) if fpir is None else None)


def _default_identification_threshold(comparison: ModelComparison, references: int) -> float:
    """Return the threshold at an FPIR of 0.01, which is never above the threshold for a verification.

    If the calibration does not reach this rate, the lowest threshold that was measured is used.
    """
    measured, calibration = comparison.thresholds.identification, comparison.calibration
    if calibration is None and measured is None:
        raise InvalidOption(
            "The card of the model has no threshold for identification in this collection. Pass one, for example "
            "?threshold=1.0, or measure it with facenet-models."
        )
    known = [measured.threshold_sq_l2] if measured else []
    if calibration is not None:
        try:
            known = [calibration.threshold_at_fpir(DEFAULT_MAX_FPIR, references)]
        except RateNotMeasured:
            known.append(calibration.lowest_threshold)
    return min(comparison.thresholds.verification, *known)


def _require_calibration(comparison: ModelComparison) -> Calibration:
    if comparison.calibration is None:
        raise RateNotMeasured(f"{NO_CALIBRATION} Pass a threshold instead.")
    return comparison.calibration


def _missing_rates(calibration: Calibration, threshold_sq_l2: float) -> str:
    """Say on which side of the table the threshold is, and what is known of the FMR there."""
    place, known_at, side = _place(calibration, threshold_sq_l2)
    return f"{place} So the FMR is {side} that at {known_at:g}, which is {calibration.fmr(known_at):.2g}."


def _missing_fpir(calibration: Calibration, threshold_sq_l2: float, references: int) -> str:
    """Say on which side of the table the threshold is, and what is known of the FPIR there."""
    place, known_at, side = _place(calibration, threshold_sq_l2)
    fpir = calibration.fpir(known_at, references)
    return (
        f"{place} So the FPIR is {side} that at {known_at:g}, which is {fpir:.2g} with {references:,} enrolled faces."
    )


def _place(calibration: Calibration, threshold_sq_l2: float) -> tuple[str, float, str]:
    """Return on which side the threshold is, in words, the nearest measured threshold, and how the rates compare."""
    if threshold_sq_l2 < calibration.lowest_threshold:
        known_at = calibration.lowest_threshold
        return f"The threshold is below {known_at:g}, the lowest that was measured.", known_at, "not above"
    known_at = calibration.highest_threshold
    return f"The threshold is above {known_at:g}, the highest that was measured.", known_at, "not below"
