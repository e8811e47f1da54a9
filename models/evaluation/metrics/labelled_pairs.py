"""Verification on pairs of photographs, with the symbols of FaceNet, section 4: D, d, VAL(d). FAR(d) is FMR(d) here.

D is the squared L2 distance of a pair, and d is a threshold. As everywhere in this project, a pair is accepted if
`D < d`. The paper accepts `D <= d`. The difference does not matter: a float32 distance is almost never equal to d.

A mated pair is two photographs of one person. A non-mated pair is two photographs of two people. These are the words
of ISO/IEC 19795-1. FAR(d) of the paper is the FMR of the standard, and VAL(d) is 1 - FNMR.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.evaluation.metrics.clustering import People
from service.domain.distances import Distances, squared_l2
from service.domain.embedding import Embeddings
from service.model_files.card import ErrorRate

Same = NDArray[np.bool_]
"""(n,) bool: True for a pair of one person, False for a pair of two people."""

Folds = NDArray[np.int64]
"""(n,) int64: the number of the fold of each pair."""

PairRows = NDArray[np.int64] | NDArray[np.bool_] | slice
"""Which pairs: their rows, a mask over all pairs, or a slice."""

REPORTED_FMR = 1e-3
"""The FMR at which FaceNet reports VAL, in every table."""


@dataclass(frozen=True, slots=True)
class MeanWithError:
    """A mean over several folds or splits, and the standard error of the mean."""

    value: float
    standard_error: float

    @classmethod
    def from_values(cls, values: Sequence[float] | NDArray[np.float64]) -> "MeanWithError":
        """Return the mean of two or more values.

        The standard error is their sample standard deviation, divided by the root of their number.
        """
        return cls(float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values))))

    @property
    def as_percent(self) -> str:
        """The text that tables show, such as 90.00 ± 5.77 %."""
        return f"{100 * self.value:.2f} ± {100 * self.standard_error:.2f} %"


@dataclass(frozen=True, slots=True, eq=False)
class CrossValidation:
    """The result of each of k folds. The threshold of a fold is chosen on the other folds.

    accuracies, thresholds: (k,) float64.
    """

    accuracies: NDArray[np.float64]
    thresholds: NDArray[np.float64]

    @property
    def accuracy(self) -> MeanWithError:
        """The mean over the folds."""
        return MeanWithError.from_values(self.accuracies)


@dataclass(frozen=True, slots=True, eq=False)
class Roc:
    """The points of an ROC curve.

    thresholds: (m,) float64, ascending.
    fmr, val: (m,) float64, FMR(d) and VAL(d) at each threshold d.
    """

    thresholds: NDArray[np.float64]
    fmr: NDArray[np.float64]
    val: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class LabelledPairs:
    """Pairs of photographs: the distance of each pair, and whether the pair is of one person.

    distances: (n,) float32, squared L2.
    same: (n,) bool. True for a mated pair (P_same of the paper), False for a non-mated pair (P_diff of the paper).
    """

    distances: Distances
    same: Same

    @property
    def mated_pairs(self) -> int:
        return int(np.count_nonzero(self.same))

    @property
    def non_mated_pairs(self) -> int:
        return int(np.count_nonzero(~self.same))

    def select(self, rows: PairRows) -> "LabelledPairs":
        """Return the pairs of these rows. A slice gives a view of the same memory. Rows or a mask give a copy."""
        return LabelledPairs(self.distances[rows], self.same[rows])

    def validation_rate(self, d: float) -> float:
        """Return VAL(d): the share of the mated pairs that is accepted. It is 1 - FNMR."""
        return float(np.mean(self.distances[self.same] < d))

    def false_match_rate(self, d: float) -> float:
        """Return FMR(d): the share of the non-mated pairs that is accepted. The paper calls it FAR(d)."""
        return float(np.mean(self.distances[~self.same] < d))

    def accuracy(self, d: float) -> float:
        """Return the share of all pairs that is decided correctly."""
        return float(np.mean((self.distances < d) == self.same))

    def threshold_at_fmr(self, fmr: float = REPORTED_FMR) -> float:
        """Return the largest d with FMR(d) <= fmr.

        If k non-mated pairs may be accepted, d is the distance of the non-mated pair k + 1, in ascending order.
        """
        non_mated = self.distances[~self.same]  # the mask makes a copy, which `partition` then reorders in place
        # In floating point, 0.29 * 100 is just below 29. Without 1e-9, only 28 of 100 pairs would be accepted, not 29.
        position = min(int(np.floor(fmr * non_mated.size + 1e-9)), non_mated.size - 1)
        non_mated.partition(position)
        return float(non_mated[position])

    def measures(self, fmr: float) -> bool:
        """Return whether there are enough non-mated pairs for this FMR: at least one of them may be accepted."""
        return fmr * self.non_mated_pairs >= 1 - 1e-9

    def val_text(self, fmr: float = REPORTED_FMR) -> str:
        """Return `val_at_fmr` as tables show it. With too few non-mated pairs it is not measured."""
        if not self.measures(fmr):
            return f"not measured: {self.non_mated_pairs} pairs of two people"
        return f"{100 * self.val_at_fmr(fmr):.2f} %"

    def val_at_fmr(self, fmr: float = REPORTED_FMR) -> float:
        """Return VAL at `threshold_at_fmr(fmr)`."""
        return self.validation_rate(self.threshold_at_fmr(fmr))

    def best_threshold(self) -> float:
        """Return the d with the most correct decisions.

        If several are equally good, the lowest is returned, as in public implementations of LFW's protocol.
        """
        order = np.argsort(self.distances, kind="stable")
        ascending, same = self.distances[order].astype(np.float64), self.same[order]
        # correct[i]: how many decisions are correct if the i nearest pairs are accepted
        accepted_mated = np.concatenate([[0], np.cumsum(same)])
        refused_non_mated = np.concatenate([np.cumsum(~same[::-1])[::-1], [0]])
        correct = accepted_mated + refused_non_mated
        between = np.concatenate([[ascending[0]], (ascending[1:] + ascending[:-1]) / 2, [ascending[-1] + 1e-6]])
        return float(between[np.argmax(correct)])

    def balanced_threshold(self) -> float:
        """Return the d with the smallest FMR + FNMR. If several are equally good, the lowest is returned.

        FMR and FNMR have the same weight, no matter how many mated and non-mated pairs there are.
        Raises ValueError if there are no mated pairs, or no non-mated pairs.
        """
        mated, non_mated = self._sorted_distances()
        if not mated.size or not non_mated.size:
            raise ValueError("the balanced threshold needs mated pairs and non-mated pairs")
        # Between the distances of two mated pairs, a larger d can only raise the FMR. So the best d is just above the
        # distance of a mated pair.
        candidates = np.nextafter(mated, np.float32(np.inf))
        fnmr = 1.0 - np.searchsorted(mated, candidates, side="left") / mated.size
        fmr = np.searchsorted(non_mated, candidates, side="left") / non_mated.size
        return float(candidates[np.argmin(fmr + fnmr)])

    def roc(self) -> Roc:
        """Return the curve from FMR 0 to FMR 1. FMR changes at the distances of non-mated pairs: its thresholds."""
        mated, non_mated = self._sorted_distances()
        thresholds = np.append(non_mated, np.float32(np.inf))
        fmr = np.searchsorted(non_mated, thresholds, side="left") / non_mated.size
        val = np.searchsorted(mated, thresholds, side="left") / mated.size
        return Roc(thresholds.astype(np.float64), fmr, val)

    def error_rate(self, d: float, measured_on: str) -> ErrorRate:
        """Return FMR and FNMR at `d`, as a row of the model's card.

        measured_on: a description of the photographs, in words.
        """
        return ErrorRate(
            threshold_sq_l2=d,
            fmr=self.false_match_rate(d),
            fnmr=1.0 - self.validation_rate(d),
            non_mated_pairs=self.non_mated_pairs,
            mated_pairs=self.mated_pairs,
            measured_on=measured_on,
        )

    def _sorted_distances(self) -> tuple[Distances, Distances]:
        """Return the distances of the mated and of the non-mated pairs, each ascending."""
        return np.sort(self.distances[self.same]), np.sort(self.distances[~self.same])


def cross_validate(pairs: LabelledPairs, folds: Folds) -> CrossValidation:
    """Return the accuracy of each fold at the best threshold of all other folds (LFW's protocol for View 2).

    folds: (n,), pair by pair. At least two folds.
    """
    accuracies, thresholds = [], []
    for fold in np.unique(folds):
        in_fold = folds == fold
        d = pairs.select(~in_fold).best_threshold()
        thresholds.append(d)
        accuracies.append(pairs.select(in_fold).accuracy(d))
    return CrossValidation(np.array(accuracies), np.array(thresholds))


def all_pairs(embeddings: Embeddings, people: People) -> LabelledPairs:
    """Return every pair of two rows once.

    embeddings: (n, d) float32 unit vectors.
    people: (n,) int64, the person of each row.
    """
    above_diagonal = np.triu(np.ones((len(people), len(people)), bool), 1)
    distances = squared_l2(embeddings, embeddings)[above_diagonal]
    return LabelledPairs(distances, (people[:, None] == people)[above_diagonal])


def round_down(d: float) -> float:
    """Round a threshold down to three decimal places. The measurements are not more exact than that.

    It is rounded down, so that its FMR or FPIR is not above the measured rate.
    """
    return math.floor(1000 * d) / 1000
