"""Verification on pairs, with the symbols of FaceNet's section 4: D, d, VAL(d), FAR(d).

D is the squared L2 distance of a pair, d a threshold. As everywhere in this project a pair is accepted when `D < d`
(the paper: `D <= d`; no two float32 distances of a data set are equal but by chance).

    distances   (n,) float32    D of every pair
    same        (n,) bool       P_same, the pairs of one person; the others are P_diff
    folds       (n,) int64      which fold a pair belongs to
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Distances = NDArray[np.float32]
Same = NDArray[np.bool_]
Folds = NDArray[np.int64]

FAR = 1e-3
"""Where FaceNet reports VAL, in every table."""

FACENET_THRESHOLD = 1.242
"""The squared L2 distance that was best on LFW (section 5.6)."""


@dataclass(frozen=True, slots=True)
class Mean:
    """A figure over several folds or splits: their mean, and its standard error."""

    value: float
    standard_error: float

    @classmethod
    def of(cls, values: Sequence[float] | NDArray[np.float64]) -> "Mean":
        """values: two or more. The error is their sample standard deviation divided by the root of their number."""
        return cls(float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values))))

    @property
    def percent(self) -> str:
        """As tables have it."""
        return f"{100 * self.value:.2f} ± {100 * self.standard_error:.2f} %"


def validation_rate(distances: Distances, same: Same, d: float) -> float:
    """VAL(d) = accepted pairs of P_same / all of P_same. It is 1 - FNMR."""
    return float(np.mean(distances[same] < d))


def false_accept_rate(distances: Distances, same: Same, d: float) -> float:
    """FAR(d) = accepted pairs of P_diff / all of P_diff. It is the FMR."""
    return float(np.mean(distances[~same] < d))


def threshold_at(distances: Distances, same: Same, far: float) -> float:
    """The largest d with FAR(d) <= far: the distance of the first pair of P_diff that is one too many."""
    impostors = distances[~same]
    first = min(int(np.floor(far * impostors.size + 1e-9)), impostors.size - 1)
    impostors.partition(first)
    return float(impostors[first])


def val_at(distances: Distances, same: Same, far: float) -> float:
    """VAL where FAR is `far`: at `threshold_at`."""
    return validation_rate(distances, same, threshold_at(distances, same, far))


def rounded_down(d: float) -> float:
    """A threshold to three digits, more of which were not measured; down, so that the rate it is named for is kept."""
    return math.floor(1000 * d) / 1000


def best_threshold(distances: Distances, same: Same) -> float:
    """The d with the most right decisions; of several, the lowest, as public implementations of LFW's protocol do."""
    order = np.argsort(distances, kind="stable")
    ascending, kind = distances[order].astype(np.float64), same[order]
    # right[i]: decisions that are right when the i nearest pairs are accepted
    right = np.concatenate([[0], np.cumsum(kind)]) + np.concatenate([np.cumsum(~kind[::-1])[::-1], [0]])
    between = np.concatenate([[ascending[0]], (ascending[1:] + ascending[:-1]) / 2, [ascending[-1] + 1e-6]])
    return float(between[np.argmax(right)])


def balanced_threshold(distances: Distances, same: Same) -> float:
    """The d with the least FMR + FNMR, where the kinds differ in number: both count as if there were as many of each.

    Of several the lowest. Raises ValueError where one of the kinds is missing.
    """
    genuine, impostors = np.sort(distances[same]), np.sort(distances[~same])
    if not genuine.size or not impostors.size:
        raise ValueError("a balance needs pairs of one person and pairs of two people")
    candidates = np.nextafter(genuine, np.float32(np.inf))  # between two pairs of one person FMR alone can grow
    fnmr = 1.0 - np.searchsorted(genuine, candidates, side="left") / genuine.size
    fmr = np.searchsorted(impostors, candidates, side="left") / impostors.size
    return float(candidates[np.argmin(fmr + fnmr)])


@dataclass(frozen=True, slots=True, eq=False)
class CrossValidation:
    """accuracies, thresholds: (k,) float64, one for each fold, the threshold being chosen on the other folds."""

    accuracies: NDArray[np.float64]
    thresholds: NDArray[np.float64]

    @property
    def mean(self) -> float:
        """Over the folds."""
        return float(self.accuracies.mean())

    @property
    def standard_error(self) -> float:
        """Of the mean: the folds' sample standard deviation divided by the root of their number."""
        return Mean.of(self.accuracies).standard_error


def cross_validate(distances: Distances, same: Same, folds: Folds) -> CrossValidation:
    """Accuracy of each fold at the threshold that is best for all the others (LFW's protocol for View 2)."""
    accuracies, thresholds = [], []
    for fold in np.unique(folds):
        held_out = folds == fold
        d = best_threshold(distances[~held_out], same[~held_out])
        thresholds.append(d)
        accuracies.append(accuracy(distances[held_out], same[held_out], d))
    return CrossValidation(np.array(accuracies), np.array(thresholds))


def accuracy(distances: Distances, same: Same, d: float) -> float:
    """The share of pairs that are decided rightly."""
    return float(np.mean((distances < d) == same))


@dataclass(frozen=True, slots=True, eq=False)
class Roc:
    """thresholds: (m,) ascending. far, val: (m,) float64, FAR(d) and VAL(d) there."""

    thresholds: NDArray[np.float64]
    far: NDArray[np.float64]
    val: NDArray[np.float64]


def roc(distances: Distances, same: Same) -> Roc:
    """The curve at every distance of P_diff, which is where FAR changes, from (0, VAL) to (1, VAL)."""
    genuine, impostors = np.sort(distances[same]), np.sort(distances[~same])
    thresholds = np.append(impostors, np.float32(np.inf))
    far = np.searchsorted(impostors, thresholds, side="left") / impostors.size
    val = np.searchsorted(genuine, thresholds, side="left") / genuine.size
    return Roc(thresholds.astype(np.float64), far, val)
