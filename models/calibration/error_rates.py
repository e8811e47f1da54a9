"""The table of error rates of one model, measured on a folder of people. `facenet-models calibrate` runs this.

FMR: the mean over all pairs of two people, of the share of their pairs of photographs that match.
FNMR: the mean over all people with two photographs, of the share of their pairs of photographs that do not match.
So each person has the same weight, no matter how many photographs there are.

The intervals are made by bootstrap over people (Bolle, Ratha and Pankanti, 2004): the people are drawn with
replacement, because all pairs of one person depend on this person.

The table begins where at least 30 pairs of people match. With 30 errors, the true rate is within 30 % of the measured
rate with a probability of 90 % (the rule of 30: Doddington and others, 2000). It ends where the FMR reaches 0.5.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.calibration.thresholds import COMPARED_PER_PERSON, LabelledEmbeddings
from models.errors import DatasetError
from service.domain.distances import squared_l2
from service.domain.embedding import Embeddings
from service.model_files.calibration import Calibration, Interval, RatesAtThreshold

GRID_SQ_L2 = np.round(np.arange(1, 200) * 0.02, 2)
MIN_MATCHING_PAIRS_OF_PEOPLE = 30
HIGHEST_FMR = 0.5
RESAMPLES = 200
SEED = 20_150_612
SAME_PHOTOGRAPH_SQ_L2 = 0.002
"""Two photographs are copies of one if their distance is below this: another size or compression of the same file."""

Shares = NDArray[np.float32]
"""(m, t) float32: the share of the pairs of photographs that match, at each of t thresholds."""


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Photographs sorted by person.

    embeddings: (n, d) float32.
    counts: (m,) int64, how many photographs each person has.
    """

    embeddings: Embeddings
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, faces: LabelledEmbeddings) -> "Comparison":
        """Take at most COMPARED_PER_PERSON photographs of each person."""
        taken = faces.take_first(COMPARED_PER_PERSON, np.unique(faces.people))
        return cls(taken.embeddings, np.unique(taken.people, return_counts=True)[1])

    @property
    def owners(self) -> NDArray[np.int64]:
        """(n,) int64: the person of each photograph, as a number from 0."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    def select(self, rows: NDArray[np.bool_]) -> "Comparison":
        """Return these photographs. People without a photograph are left out."""
        counts = np.bincount(self.owners[rows], minlength=len(self.counts))
        return Comparison(self.embeddings[rows], counts[counts > 0])

    def shares(self, thresholds: NDArray[np.float64]) -> Iterator[Shares]:
        """Yield for each person the shares of the pairs with every person that match, (m, t).

        A person's pairs with the same person are pairs of two different photographs. Their share is 0 if there is only
        one photograph.
        """
        owners, columns = self.owners, len(thresholds) + 1
        for person, start in enumerate(np.cumsum(self.counts) - self.counts):
            distances = squared_l2(self.embeddings[start : start + self.counts[person]], self.embeddings)
            own = np.arange(len(distances))
            distances[own, start + own] = np.inf
            column = np.searchsorted(thresholds, distances, side="right")
            found = np.bincount((owners * columns + column).ravel(), minlength=len(self.counts) * columns)
            below = found.reshape(-1, columns).cumsum(axis=1)[:, :-1].astype(np.float32)
            pairs = self.counts[person] * self.counts
            pairs[person] -= self.counts[person]
            yield below / np.maximum(pairs, 1)[:, None]


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredRates:
    """Rates at each threshold, and for each draw of people. The first draw is the people themselves.

    fmr, fnmr: (t, draws) float64.
    matching: (t,) int64, how many pairs of people have a pair of photographs that matches.
    """

    fmr: NDArray[np.float64]
    fnmr: NDArray[np.float64]
    matching: NDArray[np.int64]


def measure_calibration(faces: LabelledEmbeddings, folder: str) -> Calibration:
    """Measure the table. folder: the name of the folder, for `measured_on`.

    Raises DatasetError if there are too few people, or if nobody has two photographs.
    """
    given = Comparison.of(faces)
    compared = without_copies(given)
    own_pairs = compared.counts * (compared.counts - 1) // 2
    if len(compared.counts) < 2 or not own_pairs.any():
        raise DatasetError("A calibration needs several people, and two photographs of most. Give more photographs.")
    measured = _measure(compared, GRID_SQ_L2)
    total = int(compared.counts.sum())
    return Calibration(
        people=len(compared.counts),
        impostor_pairs=int(total**2 - (compared.counts**2).sum()) // 2,
        genuine_pairs=int(own_pairs.sum()),
        measured_on=f"{total:,} photographs of {len(compared.counts):,} people of {folder}; "
        f"{len(given.embeddings) - total} copies of photographs were left out",
        rates=_rows(measured),
    )


def without_copies(compared: Comparison) -> Comparison:
    """Leave out copies of photographs.

    Of copies in the folder of one person, the first is kept. Of copies in the folders of two people, none is kept,
    because one of the two labels is wrong.
    """
    keep = np.ones(len(compared.embeddings), bool)
    owners = compared.owners
    for row, embedding in enumerate(compared.embeddings):
        copies = np.flatnonzero(squared_l2(embedding[None], compared.embeddings)[0] < SAME_PHOTOGRAPH_SQ_L2)
        keep[row] = (owners[copies] == owners[row]).all() and copies[0] == row
    return compared.select(keep)


def find_alike(faces: LabelledEmbeddings) -> list[tuple[int, int]]:
    """Return the pairs of people who may be one person under two names, as numbers of `faces`.

    Half of the pairs of their photographs are nearer than half of the pairs of one person. They are not left out of the
    table: a weak model also finds different people this alike, and the table must count these errors.
    """
    compared, numbers = Comparison.of(faces), np.unique(faces.people)
    threshold = np.array([_median_of_one_person(compared)])
    return [
        (int(numbers[person]), int(numbers[other]))
        for person, shares in enumerate(compared.shares(threshold))
        for other in np.flatnonzero(shares[:, 0] >= 0.5)
        if other > person
    ]


def _median_of_one_person(compared: Comparison) -> float:
    """Return the threshold at which the pairs of one person match in half of the cases, by the mean over people."""
    return float(np.interp(0.5, 1.0 - _measure(compared, GRID_SQ_L2, resamples=0).fnmr[:, 0], GRID_SQ_L2))


def _measure(compared: Comparison, thresholds: NDArray[np.float64], resamples: int = RESAMPLES) -> MeasuredRates:
    people = len(compared.counts)
    rng = np.random.default_rng(SEED)
    draws = np.stack([np.ones(people, np.int64), *(_draw_people(rng, people) for _ in range(resamples))], axis=1)
    weights = draws.astype(np.float32)
    in_pairs = (compared.counts > 1)[:, None] * draws
    false_matches = np.zeros((len(thresholds), draws.shape[1]))
    true_matches = np.zeros_like(false_matches)
    matching = np.zeros(len(thresholds), np.int64)
    for person, shares in enumerate(compared.shares(thresholds)):
        true_matches += shares[person][:, None] * in_pairs[person]
        shares[person] = 0
        false_matches += (shares.T @ weights) * draws[person]
        matching += np.count_nonzero(shares, axis=0)
    pairs_of_people = draws.sum(axis=0) ** 2 - (draws**2).sum(axis=0)
    fnmr = 1.0 - true_matches / np.maximum(in_pairs.sum(axis=0), 1)
    return MeasuredRates(false_matches / np.maximum(pairs_of_people, 1), fnmr, matching // 2)


def _draw_people(rng: np.random.Generator, people: int) -> NDArray[np.int64]:
    """Draw people with replacement. Returns (people,) int64: how often each was drawn."""
    return np.bincount(rng.integers(0, people, people), minlength=people)


def _rows(measured: MeasuredRates) -> tuple[RatesAtThreshold, ...]:
    """Return the rows of the table. Raises DatasetError if too few pairs of people match at any threshold."""
    first = int(np.searchsorted(measured.matching, MIN_MATCHING_PAIRS_OF_PEOPLE))
    last = min(int(np.searchsorted(measured.fmr[:, 0], HIGHEST_FMR)), len(GRID_SQ_L2) - 1)
    if last <= first:
        raise DatasetError("These are too few people for a table of error rates. Give at least 20 people.")
    return tuple(
        RatesAtThreshold(
            threshold_sq_l2=float(GRID_SQ_L2[row]),
            fmr=_round(measured.fmr[row, 0]),
            fmr_interval=_interval(measured.fmr[row, 1:]),
            fnmr=_round(measured.fnmr[row, 0]),
            fnmr_interval=_interval(measured.fnmr[row, 1:]),
        )
        for row in range(first, last + 1)
    )


def _interval(of_draws: NDArray[np.float64]) -> Interval:
    low, high = np.quantile(of_draws, (0.025, 0.975))
    return _round(low), _round(high)


def _round(rate: float) -> float:
    return float(f"{abs(rate):.3g}")
