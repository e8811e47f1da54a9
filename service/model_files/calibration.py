"""The calibration of a model: how often its comparisons are wrong, at each threshold. It is a table in the card.

`facenet-models calibrate` measures the table on a folder of people. A collection can have a table of its own, which is
measured on its subjects (`own_calibration.py`). Between two rows, the rates are interpolated. Outside of the rows they
are not known, and are never guessed. Only `log10_fmr`, for scores, continues the table.

Verification (1:1): the rate is the FMR of the table, f. A subject can have several faces, and the nearest one counts.
Then the chance of at least one false match in N comparisons is `1 - (1 - f)^N`.

Identification (1:N): a stranger is compared with N references, so the chance of at least one false match is
`1 - (1 - f)^N`. For f, the FMR of the card is multiplied by FALSE_MATCH_FACTOR.
"""

from bisect import bisect_right
from functools import cached_property
from itertools import pairwise
from math import ceil, exp, expm1, floor, log, log1p, log10
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from service.domain.distances import MAX_SQ_L2
from service.domain.errors import RateNotMeasured

FALSE_MATCH_FACTOR = 2.0
"""How many times as often strangers match in identification, compared with two people drawn from the calibration.

The people of one gallery are often alike, for example all of one sex. Nearly all false matches are between people of
one sex, who are half of all pairs. So in a gallery of one sex, false matches are about twice as frequent.
"""

DEFAULT_MAX_FPIR = 0.01
"""The FPIR of an identification, if the caller asks for nothing else."""

CalibrationSource = Literal["model", "own"]
"""Which calibration is used: that in the card of the model, or that of the collection."""

Rate = Annotated[float, Field(ge=0, le=1)]
Interval = tuple[Rate, Rate]
"""A 95 % confidence interval: by bootstrap over people, because the pairs of one person are not independent."""


class RatesAtThreshold(BaseModel):
    """The error rates at one threshold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold_sq_l2: float = Field(gt=0, le=4, description="a squared L2 distance. A smaller distance is a match")
    fmr: float = Field(gt=0, le=1, description="false match rate: the share of pairs of two people that match")
    fmr_interval: Interval = Field(description="95 % confidence interval of the FMR")
    fnmr: Rate | None = Field(
        description="false non-match rate: the share of pairs of one person that do not match. Null in the calibration "
        "of a collection if fewer than 30 subjects have several faces"
    )
    fnmr_interval: Interval | None = Field(description="95 % confidence interval of the FNMR")


class Calibration(BaseModel):
    """The error rates of a model at many thresholds, ascending. All rows are measured on the same pairs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    people: int = Field(ge=2, description="how many people the photographs show. Each has the same weight")
    non_mated_pairs: int = Field(ge=1, description="how many pairs of photographs of two people were compared")
    mated_pairs: int = Field(ge=0, description="how many pairs of photographs of one person were compared")
    measured_on: str = Field(description="the photographs, in words")
    rates: tuple[RatesAtThreshold, ...] = Field(min_length=2)

    false_match_factor: ClassVar[float] = FALSE_MATCH_FACTOR
    """By what the FMR is multiplied in an identification."""

    @model_validator(mode="after")
    def _rates_are_ascending(self) -> Self:
        for low, high in pairwise(self.rates):
            if not (low.threshold_sq_l2 < high.threshold_sq_l2 and low.fmr <= high.fmr and _falls(low.fnmr, high.fnmr)):
                raise ValueError("the rows of a calibration must be in the order of their thresholds")
        return self

    def fmr(self, threshold_sq_l2: float, pairs: int = 1) -> float | None:
        """Return the FMR at a threshold. None if it was not measured there.

        pairs: of faces of two people. The nearest pair counts, so with several the FMR is higher.
        """
        if not self._is_measured(threshold_sq_l2):
            return None
        return _of_several(exp(_interpolate(threshold_sq_l2, self._thresholds, self._log_fmr)), pairs)

    def log10_fmr(self, distance_sq_l2: float) -> float:
        """Return the logarithm of the FMR at any distance, to compare distances. Beyond the table it is no known rate.

        Below the table, the slope of its first tenfold is continued. A few rows would give a worse slope, because they
        count few errors. Above the table, the line ends at the distance 4, where all pairs match.
        """
        return _interpolate(distance_sq_l2, *self._continued_log10_fmr)

    def fnmr(self, threshold_sq_l2: float) -> float | None:
        """Return the FNMR at a threshold. None if it was not measured there, or not at all."""
        fnmr = self._fnmr
        if not self._is_measured(threshold_sq_l2) or fnmr is None:
            return None
        return _interpolate(threshold_sq_l2, self._thresholds, fnmr)

    def fpir(self, threshold_sq_l2: float, references: int) -> float | None:
        """Return the FPIR at a threshold, for a gallery of this many enrolled faces. None if it was not measured."""
        fmr = self.fmr(threshold_sq_l2)
        if fmr is None:
            return None
        return _of_several(min(self.false_match_factor * fmr, 1.0), references)

    def threshold_at_fmr(self, fmr: float, pairs: int = 1) -> float:
        """Return the threshold with this FMR, see `fmr`. Raises RateNotMeasured if the table does not reach it."""
        of_one = _of_one(fmr, pairs)
        if not self.rates[0].fmr <= of_one <= self.rates[-1].fmr:
            raise RateNotMeasured(f"{self._reach(pairs)}, and FMR {fmr:.2g} is needed. Ask for a rate in between.")
        return _interpolate(log(of_one), self._log_fmr, self._thresholds)

    def threshold_at_fpir(self, fpir: float, references: int) -> float:
        """Return the threshold with this FPIR, for a gallery of this many enrolled faces.

        Raises RateNotMeasured if the table does not reach it.
        """
        fmr = _of_one(fpir, max(references, 1)) / self.false_match_factor
        if fmr < self.rates[0].fmr:
            lowest = self.lowest_fpir(references)
            ask = f"Ask for {lowest:g} or more, or enrol" if lowest < 1 else "No FPIR can be asked for. Enrol"
            raise RateNotMeasured(
                f"The calibration does not reach an FPIR of {fpir:.2g} with {references:,} enrolled faces. "
                f"{ask} fewer faces."
            )
        highest = self.fpir(self.highest_threshold, max(references, 1)) or 1.0
        if fpir > highest:
            raise RateNotMeasured(
                f"The calibration ends at an FPIR of {highest:.2g} with {references:,} enrolled faces. Ask for "
                f"{_round_down(highest):g} or less."
            )
        return self.threshold_at_fmr(fmr)

    def lowest_fpir(self, references: int) -> float:
        """Return the lowest FPIR that can be asked for, with this many enrolled faces. It is rounded up to two digits.

        It is 1 if nearly every stranger would get a match at the lowest threshold that was measured.
        """
        return _round_up(self.fpir(self.lowest_threshold, max(references, 1)) or 1.0)

    @property
    def lowest_threshold(self) -> float:
        """The lowest threshold at which the rates were measured, squared L2."""
        return self.rates[0].threshold_sq_l2

    @property
    def highest_threshold(self) -> float:
        """The highest threshold at which the rates were measured, squared L2."""
        return self.rates[-1].threshold_sq_l2

    def _reach(self, pairs: int) -> str:
        lowest, highest = self.rates[0].fmr, self.rates[-1].fmr
        if pairs == 1:
            return f"The calibration reaches from FMR {lowest:g} to {highest:g}"
        lowest, highest = (_of_several(fmr, pairs) for fmr in (lowest, highest))
        return (
            f"The calibration reaches from FMR {_round_up(lowest):g} to {_round_down(highest):g} if the nearest of "
            f"{pairs:,} pairs of faces counts"
        )

    def _is_measured(self, threshold_sq_l2: float) -> bool:
        return self.lowest_threshold <= threshold_sq_l2 <= self.highest_threshold

    @cached_property
    def _thresholds(self) -> tuple[float, ...]:
        return tuple(row.threshold_sq_l2 for row in self.rates)

    @cached_property
    def _log_fmr(self) -> tuple[float, ...]:
        """FMR falls by a nearly constant factor from row to row, so its logarithm is interpolated."""
        return tuple(log(row.fmr) for row in self.rates)

    @cached_property
    def _continued_log10_fmr(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """The distances, from 0 to 4, and the logarithm of the FMR at each."""
        known = [(row.threshold_sq_l2, log10(row.fmr)) for row in self.rates]
        first, first_log = known[0]
        tenfold, tenfold_log = next((row for row in known if row[1] >= first_log + 1), known[-1])
        at_zero = first_log - first * (tenfold_log - first_log) / (tenfold - first)
        last = [] if known[-1][0] == MAX_SQ_L2 else [(MAX_SQ_L2, 0.0)]
        distances, logs = zip(*[(0.0, at_zero), *known, *last], strict=True)
        return distances, logs

    @cached_property
    def _fnmr(self) -> tuple[float, ...] | None:
        known = tuple(row.fnmr for row in self.rates if row.fnmr is not None)
        return known or None


class OwnCalibration(Calibration):
    """The error rates between the subjects of one collection. The FMR is used as it is."""

    false_match_factor: ClassVar[float] = 1.0


def _of_several(rate: float, pairs: int) -> float:
    """Return how often at least one of several pairs matches falsely. rate: of one pair."""
    return rate if pairs == 1 else float(1.0 - (1.0 - rate) ** pairs)


def _of_one(rate: float, pairs: int) -> float:
    """Return how often one pair may match falsely, so that at least one of several does so at this rate."""
    return rate if pairs == 1 else -expm1(log1p(-rate) / pairs)


def _falls(low: float | None, high: float | None) -> bool:
    """Return whether the FNMR falls from one row to the next. It is known in all rows or in none."""
    if low is None or high is None:
        return low is high
    return low >= high


def _round_up(rate: float) -> float:
    """Return the rate with two digits, and above it, so that it can be asked for in spite of errors of rounding."""
    unit = 10.0 ** (floor(log10(rate)) - 1)
    return min(float(f"{ceil(rate / unit * (1 + 1e-9)) * unit:.2g}"), 1.0)


def _round_down(rate: float) -> float:
    """Return the rate with two digits, and below it, so that it can be asked for in spite of errors of rounding."""
    unit = 10.0 ** (floor(log10(rate)) - 1)
    return float(f"{floor(rate / unit * (1 - 1e-9)) * unit:.2g}")


def _interpolate(x: float, known: tuple[float, ...], values: tuple[float, ...]) -> float:
    """Return the value at x, on the line between its two neighbours. For one number, this is faster than NumPy.

    known: ascending. x is between the first and the last of them.
    """
    after = min(max(bisect_right(known, x), 1), len(known) - 1)
    step = known[after] - known[after - 1]
    share = (x - known[after - 1]) / step if step else 0.0
    return values[after - 1] + share * (values[after] - values[after - 1])
