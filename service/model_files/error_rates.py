"""How often the faces of different people match, at each threshold: the measuring behind a calibration.

`facenet-models calibrate` measures the people of a folder with it, and the service measures the subjects of a
collection.

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
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from service.domain.distances import Distances, squared_l2
from service.domain.embedding import Embeddings
from service.domain.errors import TooFewPeople
from service.model_files.calibration import Calibration, Interval, RatesAtThreshold

GRID_SQ_L2 = np.round(np.arange(1, 200) * 0.02, 2)
COMPARED_PER_PERSON = 8
"""How many photographs of one person are compared at most."""
MIN_MATCHING_PAIRS_OF_PEOPLE = 30
HIGHEST_FMR = 0.5
RESAMPLES = 200
SEED = 20_150_612
SAME_PHOTOGRAPH_SQ_L2 = 0.002
"""Two photographs are copies of one if their distance is below this: another size or compression of the same file."""
ROWS_AT_ONCE = 64
NO_RATE = 1e-9
"""A rate below this is 0 with an error of rounding."""

C = TypeVar("C", bound=Calibration)
Shares = NDArray[np.float32]
"""(m, t) float32: the share of the pairs of photographs that match, at each of t thresholds."""


@dataclass(frozen=True, slots=True, eq=False)
class FacesOfPeople:
    """Photographs sorted by person.

    embeddings: (n, d) float32.
    counts: (m,) int64, how many photographs each person has. None is 0.
    """

    embeddings: Embeddings
    counts: NDArray[np.int64]

    @property
    def owners(self) -> NDArray[np.int64]:
        """(n,) int64: the person of each photograph, as a number from 0."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    @property
    def people_with_several(self) -> int:
        """How many people have at least two photographs. Only they have a rate of false non-matches."""
        return int(np.count_nonzero(self.counts > 1))

    @property
    def non_mated_pairs(self) -> int:
        """How many pairs of photographs show two people."""
        return int(self.counts.sum() ** 2 - (self.counts**2).sum()) // 2

    @property
    def mated_pairs(self) -> int:
        """How many pairs of photographs show one person."""
        return int((self.counts * (self.counts - 1)).sum()) // 2

    def select(self, rows: NDArray[np.bool_]) -> "FacesOfPeople":
        """Return these photographs. People without a photograph are left out."""
        counts = np.bincount(self.owners[rows], minlength=len(self.counts))
        return FacesOfPeople(self.embeddings[rows], counts[counts > 0])

    def distances_to_later(self) -> Iterator[Distances]:
        """Yield for each person the distances to the photographs of all later people, (count, later photographs).

        So each pair of two people comes once.
        """
        ends = np.cumsum(self.counts)
        for start, end in zip(ends - self.counts, ends, strict=True):
            yield squared_l2(self.embeddings[start:end], self.embeddings[end:])

    def shares_with_later(self, thresholds: NDArray[np.float64]) -> Iterator[Shares]:
        """Yield for each person the shares of the pairs with every later person that match, (later people, t)."""
        columns = len(thresholds) + 1
        for person, distances in enumerate(self.distances_to_later()):
            counts = self.counts[person + 1 :]
            first_columns = np.repeat(np.arange(len(counts)) * columns, counts)
            column = np.searchsorted(thresholds, distances, side="right")
            found = np.bincount((first_columns + column).ravel(), minlength=len(counts) * columns)
            below = found.reshape(-1, columns).cumsum(axis=1)[:, :-1].astype(np.float32)
            yield below / (self.counts[person] * counts)[:, None].astype(np.float32)

    def own_shares(self, thresholds: NDArray[np.float64]) -> Shares:
        """Return for each person the share of the pairs of its photographs that match, (m, t). 0 with one."""
        shares = np.zeros((len(self.counts), len(thresholds)), np.float32)
        ends = np.cumsum(self.counts)
        for person in np.flatnonzero(self.counts > 1):
            own = self.embeddings[ends[person] - self.counts[person] : ends[person]]
            distances = np.sort(squared_l2(own, own)[np.triu_indices(len(own), 1)])
            shares[person] = np.searchsorted(distances, thresholds) / len(distances)
        return shares


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredRates:
    """Rates at each threshold, and for each draw of people. The first draw is the people themselves.

    thresholds: (t,) float64, squared L2.
    fmr, fnmr: (t, draws) float64.
    """

    thresholds: NDArray[np.float64]
    fmr: NDArray[np.float64]
    fnmr: NDArray[np.float64]


def find_copies(compared: FacesOfPeople) -> NDArray[np.bool_]:
    """Return which photographs to set aside because they are copies, (n,).

    Of copies of one person, the first is kept. Of copies under two people, none is kept, because one of the two labels
    is wrong.
    """
    aside = np.zeros(len(compared.embeddings), bool)
    owners = compared.owners
    for start in range(0, len(aside), ROWS_AT_ONCE):
        block = compared.embeddings[start : start + ROWS_AT_ONCE]
        near = squared_l2(block, compared.embeddings) < SAME_PHOTOGRAPH_SQ_L2
        near[np.arange(len(block)), start + np.arange(len(block))] = True
        for row in np.flatnonzero(near.sum(axis=1) > 1):
            copies = np.flatnonzero(near[row])
            aside[start + row] = (owners[copies] != owners[start + row]).any() or copies[0] != start + row
    return aside


def find_people_twice(compared: FacesOfPeople, threshold_sq_l2: float) -> list[tuple[int, int]]:
    """Return the people who are there twice, under two names: (the one to keep, the one to set aside), as numbers.

    Two people count as one if half of the pairs of their photographs are nearer than the threshold. Of two, the one
    with more photographs stays.
    """
    aside = np.zeros(len(compared.counts), bool)
    found: list[tuple[int, int]] = []
    for person, shares in enumerate(compared.shares_with_later(np.array([threshold_sq_l2]))):
        for other in (person + 1 + np.flatnonzero(shares[:, 0] >= 0.5)).tolist():
            if not aside[[person, other]].any():
                fewer = min(person, other, key=lambda one: compared.counts[one])
                found.append((person + other - fewer, fewer))
                aside[fewer] = True
            if aside[person]:
                break
    return found


def median_of_one_person(compared: FacesOfPeople) -> float:
    """Return the threshold at which the pairs of one person match in half of the cases, by the mean over people.

    Some people must have two photographs.
    """
    shares = compared.own_shares(GRID_SQ_L2)[compared.counts > 1].astype(np.float64)
    return float(np.interp(0.5, shares.mean(axis=0), GRID_SQ_L2))


def _rates_of_table(compared: FacesOfPeople) -> MeasuredRates:
    """Measure the rates at the thresholds of a table, with draws of people.

    The thresholds are found first, because each draw takes time at each threshold.
    Raises TooFewPeople if fewer than 30 pairs of people match before the FMR reaches 0.5.
    """
    if len(compared.counts) < 2:
        raise TooFewPeople(len(compared.counts))
    fmr, matching = _count_matches(compared, GRID_SQ_L2)
    first = int(np.searchsorted(matching, MIN_MATCHING_PAIRS_OF_PEOPLE))
    last = min(int(np.searchsorted(fmr, HIGHEST_FMR)), len(GRID_SQ_L2) - 1)
    if last <= first:
        raise TooFewPeople(len(compared.counts))
    return _measure_rates(compared, GRID_SQ_L2[first : last + 1])


def _count_matches(
    compared: FacesOfPeople, thresholds: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the FMR, (t,), and how many pairs of people have a pair of photographs that matches, (t,).

    It needs no share of each pair of people, so it takes much less time than the rates of draws.
    """
    places, people = len(thresholds) + 1, len(compared.counts)
    weights, matching = np.zeros(places), np.zeros(places, np.int64)
    for person, distances in enumerate(compared.distances_to_later()):
        counts = compared.counts[person + 1 :]
        place = np.searchsorted(thresholds, distances, side="right")
        weight = np.repeat(1.0 / (compared.counts[person] * counts), counts)
        weights += np.bincount(place.ravel(), np.broadcast_to(weight, place.shape).ravel(), places)
        if len(counts):
            nearest = np.minimum.reduceat(place.min(axis=0), np.cumsum(counts) - counts)
            matching += np.bincount(nearest, minlength=places)
    pairs_of_people = people * (people - 1) / 2
    return weights.cumsum()[:-1] / pairs_of_people, matching.cumsum()[:-1]


def _measure_rates(compared: FacesOfPeople, thresholds: NDArray[np.float64]) -> MeasuredRates:
    """Measure the rates at these thresholds, (t,) ascending, for the people and for RESAMPLES draws of them."""
    people = len(compared.counts)
    rng = np.random.default_rng(SEED)
    draws = np.stack([np.ones(people, np.int64), *(_draw_people(rng, people) for _ in range(RESAMPLES))], axis=1)
    weights = draws.astype(np.float32)
    false_matches = np.zeros((len(thresholds), draws.shape[1]))
    for person, shares in enumerate(compared.shares_with_later(thresholds)):
        false_matches += (shares.T @ weights[person + 1 :]) * draws[person]
    pairs_of_people = (draws.sum(axis=0) ** 2 - (draws**2).sum(axis=0)) / 2
    in_pairs = (compared.counts > 1)[:, None] * draws
    true_matches = compared.own_shares(thresholds).T.astype(np.float64) @ in_pairs
    fnmr = 1.0 - true_matches / np.maximum(in_pairs.sum(axis=0), 1)
    return MeasuredRates(thresholds, false_matches / np.maximum(pairs_of_people, 1), fnmr)


def _draw_people(rng: np.random.Generator, people: int) -> NDArray[np.int64]:
    """Draw people with replacement. Returns (people,) int64: how often each was drawn."""
    return np.bincount(rng.integers(0, people, people), minlength=people)


def measure_table(compared: FacesOfPeople, kind: type[C], measured_on: str) -> C:
    """Measure the table of a calibration. measured_on: the photographs, in words. Raises TooFewPeople."""
    return kind(
        people=len(compared.counts),
        non_mated_pairs=compared.non_mated_pairs,
        mated_pairs=compared.mated_pairs,
        measured_on=measured_on,
        rates=_rows(_rates_of_table(compared), compared.people_with_several),
    )


def _rows(measured: MeasuredRates, people_with_several: int) -> tuple[RatesAtThreshold, ...]:
    return tuple(
        RatesAtThreshold(
            threshold_sq_l2=float(threshold),
            fmr=_round(measured.fmr[row, 0]),
            fmr_interval=_interval(measured.fmr[row, 1:]),
            fnmr=_round(measured.fnmr[row, 0]),
            fnmr_interval=_fnmr_interval(measured.fnmr[row], people_with_several),
        )
        for row, threshold in enumerate(measured.thresholds)
    )


def _interval(of_draws: NDArray[np.float64]) -> Interval:
    low, high = np.quantile(of_draws, (0.025, 0.975))
    return _round(low), _round(high)


def _fnmr_interval(fnmr: NDArray[np.float64], people: int) -> Interval:
    """Return the interval. If all pairs match, or none, all draws are equal, and their interval would have no width.

    Then the other end is that of the rule of three: 3 / people (Hanley and Lippman-Hand, 1983). The FMR needs no such
    rule, because at least 30 pairs of people match.

    fnmr: (draws,) float64, the first of the people themselves. people: how many have several photographs.
    """
    three = min(3 / max(people, 1), 1.0)
    if np.all(fnmr < NO_RATE):
        return 0.0, _round(three)
    if np.all(fnmr > 1 - NO_RATE):
        return _round(1 - three), 1.0
    return _interval(fnmr[1:])


def _round(rate: float) -> float:
    return float(f"{abs(rate):.3g}")
