"""Verification on pairs of photographs, with the symbols of FaceNet, section 4: D, d, VAL(d), FAR(d).

D is the squared L2 distance of a pair, and d is a threshold. As everywhere in this project, a pair is accepted if
`D < d`. The paper accepts `D <= d`. The difference does not matter: a float32 distance is almost never equal to d.

A genuine pair is two photographs of one person. An impostor pair is two photographs of two people. ISO/IEC 19795-1
calls them mated and non-mated. FAR(d) of the paper is the FMR of the standard, and VAL(d) is 1 - FNMR.
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

REPORTED_FAR = 1e-3
"""The FAR at which FaceNet reports VAL, in every table."""


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
    far, val: (m,) float64, FAR(d) and VAL(d) at each threshold d.
    """

    thresholds: NDArray[np.float64]
    far: NDArray[np.float64]
    val: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class LabelledPairs:
    """Pairs of photographs: the distance of each pair, and whether the pair is of one person.

    distances: (n,) float32, squared L2.
    same: (n,) bool. True for a genuine pair (P_same of the paper), False for an impostor pair (P_diff of the paper).
    """

    distances: Distances
    same: Same

    @property
    def genuine_pairs(self) -> int:
        return int(np.count_nonzero(self.same))

    @property
    def impostor_pairs(self) -> int:
        return int(np.count_nonzero(~self.same))

    def select(self, rows: PairRows) -> "LabelledPairs":
        """Return the pairs of these rows. A slice gives a view of the same memory. Rows or a mask give a copy."""
        return LabelledPairs(self.distances[rows], self.same[rows])

    def validation_rate(self, d: float) -> float:
        """Return VAL(d): the share of the genuine pairs that is accepted. It is 1 - FNMR."""
        return float(np.mean(self.distances[self.same] < d))

    def false_accept_rate(self, d: float) -> float:
        """Return FAR(d): the share of the impostor pairs that is accepted. It is the FMR."""
        return float(np.mean(self.distances[~self.same] < d))

    def accuracy(self, d: float) -> float:
        """Return the share of all pairs that is decided correctly."""
        return float(np.mean((self.distances < d) == self.same))

    def threshold_at_far(self, far: float = REPORTED_FAR) -> float:
        """Return the largest d with FAR(d) <= far.

        If k impostor pairs may be accepted, d is the distance of the impostor pair k + 1, in ascending order.
        """
        impostors = self.distances[~self.same]  # the mask makes a copy, which `partition` then reorders in place
        # In floating point, 0.29 * 100 is just below 29. Without 1e-9, only 28 of 100 pairs would be accepted, not 29.
        position = min(int(np.floor(far * impostors.size + 1e-9)), impostors.size - 1)
        impostors.partition(position)
        return float(impostors[position])

    def measures(self, far: float) -> bool:
        """Return whether there are enough impostor pairs for this FAR: at least one of them may be accepted."""
        return far * self.impostor_pairs >= 1 - 1e-9

    def val_text(self, far: float = REPORTED_FAR) -> str:
        """Return `val_at_far` as tables show it. With too few impostor pairs it says so, because it is not measured."""
        if not self.measures(far):
            return f"not measured: {self.impostor_pairs} pairs of two people"
        return f"{100 * self.val_at_far(far):.2f} %"

    def val_at_far(self, far: float = REPORTED_FAR) -> float:
        """Return VAL at `threshold_at_far(far)`."""
        return self.validation_rate(self.threshold_at_far(far))

    def best_threshold(self) -> float:
        """Return the d with the most correct decisions.

        If several are equally good, the lowest is returned, as in public implementations of LFW's protocol.
        """
        order = np.argsort(self.distances, kind="stable")
        ascending, same = self.distances[order].astype(np.float64), self.same[order]
        # correct[i]: how many decisions are correct if the i nearest pairs are accepted
        accepted_genuine = np.concatenate([[0], np.cumsum(same)])
        refused_impostors = np.concatenate([np.cumsum(~same[::-1])[::-1], [0]])
        correct = accepted_genuine + refused_impostors
        between = np.concatenate([[ascending[0]], (ascending[1:] + ascending[:-1]) / 2, [ascending[-1] + 1e-6]])
        return float(between[np.argmax(correct)])

    def balanced_threshold(self) -> float:
        """Return the d with the smallest FMR + FNMR. If several are equally good, the lowest is returned.

        FMR and FNMR have the same weight, no matter how many genuine and impostor pairs there are.
        Raises ValueError if there are no genuine pairs, or no impostor pairs.
        """
        genuine, impostors = self._sorted_distances()
        if not genuine.size or not impostors.size:
            raise ValueError("the balanced threshold needs genuine pairs and impostor pairs")
        # Between the distances of two genuine pairs, a larger d can only raise the FMR. So the best d is just above the
        # distance of a genuine pair.
        candidates = np.nextafter(genuine, np.float32(np.inf))
        fnmr = 1.0 - np.searchsorted(genuine, candidates, side="left") / genuine.size
        fmr = np.searchsorted(impostors, candidates, side="left") / impostors.size
        return float(candidates[np.argmin(fmr + fnmr)])

    def roc(self) -> Roc:
        """Return the curve from FAR 0 to FAR 1. FAR changes at the distances of impostor pairs: its thresholds."""
        genuine, impostors = self._sorted_distances()
        thresholds = np.append(impostors, np.float32(np.inf))
        far = np.searchsorted(impostors, thresholds, side="left") / impostors.size
        val = np.searchsorted(genuine, thresholds, side="left") / genuine.size
        return Roc(thresholds.astype(np.float64), far, val)

    def error_rate(self, d: float, measured_on: str) -> ErrorRate:
        """Return FMR and FNMR at `d`, as a row of the model's card.

        measured_on: a description of the photographs, in words.
        """
        return ErrorRate(
            threshold_sq_l2=d,
            fmr=self.false_accept_rate(d),
            fnmr=1.0 - self.validation_rate(d),
            impostor_pairs=self.impostor_pairs,
            genuine_pairs=self.genuine_pairs,
            measured_on=measured_on,
        )

    def _sorted_distances(self) -> tuple[Distances, Distances]:
        """Return the distances of the genuine and of the impostor pairs, each ascending."""
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
