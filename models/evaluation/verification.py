"""Verification of people who were not trained on, as FaceNet measures it (sections 4 and 5, Table 3).

The people are dealt into five splits, and within each every photograph is compared with every other. VAL at FAR 1e-3 is
measured in each split by itself; the paper's result is the mean and its standard error. Where the people are few, the
splits' thresholds differ much, so VAL and the threshold where the FAR of all pairs is 1e-3 stand beside it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from matplotlib.figure import Figure

from models.embedding import embed_files
from models.errors import DatasetError
from models.evaluation import metrics
from models.evaluation.clustering import People, pairs_alike
from models.evaluation.identities import SEED, Identities
from models.evaluation.metrics import FACENET_THRESHOLD, FAR, Distances, Mean, Same
from models.evaluation.report import Row, canvas
from service.card import ErrorRate
from service.distances import MAX_SQ_L2, squared_l2
from service.domain import Embeddings
from service.pipeline import PipelineOptions

SPLITS = 5

VAL_OF_SPLITS = f"VAL at FMR {FAR:g}, mean of {SPLITS} splits"
"""What the paper's VAL is, in words."""


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Every pair of photographs of some people, once. distances, same: (n,), see `metrics.py`."""

    distances: Distances
    same: Same

    @property
    def genuine_pairs(self) -> int:
        """How many are of one person."""
        return int(np.count_nonzero(self.same))

    @property
    def impostor_pairs(self) -> int:
        """How many are of two people."""
        return int(np.count_nonzero(~self.same))

    @property
    def threshold_at_far(self) -> float:
        """The largest d with FAR(d) <= 1e-3."""
        return metrics.threshold_at(self.distances, self.same, FAR)

    @property
    def val(self) -> float:
        """VAL at FAR 1e-3."""
        return metrics.val_at(self.distances, self.same, FAR)

    def fmr(self, d: float) -> float:
        """The share of strangers' pairs that is accepted."""
        return metrics.false_accept_rate(self.distances, self.same, d)

    def fnmr(self, d: float) -> float:
        """The share of one person's pairs that is refused."""
        return 1.0 - metrics.validation_rate(self.distances, self.same, d)

    def error_rate(self, d: float, measured_on: str) -> ErrorRate:
        """Both at `d`, as the card has them. measured_on: whose photographs they are, in words."""
        return ErrorRate(
            threshold_sq_l2=d,
            fmr=self.fmr(d),
            fnmr=self.fnmr(d),
            impostor_pairs=self.impostor_pairs,
            genuine_pairs=self.genuine_pairs,
            measured_on=measured_on,
        )

    def rates(self, d: float) -> str:
        """FMR and FNMR as a table has them."""
        return f"{100 * self.fmr(d):.3f} %, {100 * self.fnmr(d):.2f} %"


@dataclass(frozen=True, slots=True, eq=False)
class Verification:
    """What was measured on `photographs` of `people`. left_out: photographs in which no face was found.

    whole: the pairs of all the splits; each of `splits` is a view of its own part of them.
    """

    whole: Split
    splits: tuple[Split, ...]
    photographs: int
    people: int
    left_out: int

    @classmethod
    def of(cls, splits: Sequence[Split], photographs: int, people: int, left_out: int) -> Self:
        """splits: two or more, of people of their own. They are copied, and need not be kept."""
        whole = Split(np.concatenate([one.distances for one in splits]), np.concatenate([one.same for one in splits]))
        ends = np.cumsum([one.same.size for one in splits])[:-1]
        views = map(Split, np.split(whole.distances, ends), np.split(whole.same, ends))
        return cls(whole, tuple(views), photographs, people, left_out)

    @property
    def val(self) -> Mean:
        """VAL at FAR 1e-3 over the splits, each at a threshold of its own."""
        return Mean.of([split.val for split in self.splits])

    @property
    def best_threshold(self) -> float:
        """The d with the least FMR + FNMR over the pairs of all the splits."""
        return metrics.balanced_threshold(self.whole.distances, self.whole.same)

    def rows(self) -> list[Row]:
        """What the table shows; the first names the columns."""
        whole, best = self.whole, self.best_threshold
        return [
            (f"{self.people:,} people, {self.photographs:,} photographs", "measured"),
            ("photographs without a face", f"{self.left_out}"),
            ("pairs of one person, of two people", f"{whole.genuine_pairs:,}, {whole.impostor_pairs:,}"),
            (VAL_OF_SPLITS, self.val.percent),
            (f"VAL at FMR {FAR:g}, all pairs", f"{100 * whole.val:.2f} %"),
            (f"threshold at FMR {FAR:g}, all pairs", f"{metrics.rounded_down(whole.threshold_at_far):.3f}"),
            (f"FMR, FNMR at {FACENET_THRESHOLD}", whole.rates(FACENET_THRESHOLD)),
            (f"FMR, FNMR at {best:.3f}, the best", whole.rates(best)),
        ]

    def figures(self) -> dict[str, object]:
        """The numbers by name."""
        whole = self.whole
        return {
            "photographs": self.photographs,
            "people": self.people,
            "left_out": self.left_out,
            "val_at_far_1e-3": self.val.value,
            "standard_error": self.val.standard_error,
            "vals": [split.val for split in self.splits],
            "thresholds_at_far_1e-3_sq_l2": [split.threshold_at_far for split in self.splits],
            "all_pairs_val_at_far_1e-3": whole.val,
            "all_pairs_threshold_at_far_1e-3_sq_l2": whole.threshold_at_far,
            "genuine_pairs": whole.genuine_pairs,
            "impostor_pairs": whole.impostor_pairs,
            "fmr_at_1.242": whole.fmr(FACENET_THRESHOLD),
            "fnmr_at_1.242": whole.fnmr(FACENET_THRESHOLD),
            "best_threshold_sq_l2": self.best_threshold,
        }

    def draw(self) -> Figure:
        """How far the pairs of one person and those of two are apart."""
        whole, figure = self.whole, canvas()
        axes = figure.subplots()
        for kind, label in ((whole.same, "one person"), (~whole.same, "two people")):
            density, edges = np.histogram(whole.distances[kind], 160, (0, MAX_SQ_L2), density=True)
            axes.stairs(density, edges, fill=True, alpha=0.6, label=label)
        axes.axvline(FACENET_THRESHOLD, color="black", linewidth=1, label=f"{FACENET_THRESHOLD}")
        axes.axvline(whole.threshold_at_far, color="black", linewidth=1, linestyle="--", label=f"FMR {FAR:g}")
        axes.set(xlabel="squared L2 distance", ylabel="density of pairs", xlim=(0, 3))
        axes.set_title(f"{VAL_OF_SPLITS}: {self.val.percent}", fontsize=9)
        axes.legend(loc="upper right")
        return figure


def evaluate(options: PipelineOptions, identities: Identities, done: Callable[[], object]) -> Verification:
    """Embeds the photographs through the pipeline that serves, and measures. `done` is called after each.

    Raises DatasetError where nobody has two photographs, or the people are too few: before the first is embedded, and
    again where too many of them have no face.
    """
    if not np.any(np.bincount(identities.people) > 1):
        raise DatasetError("Nobody has two photographs, so there is nothing to verify. Give a folder where people do.")
    _require_pairs(identities.people)
    embeddings, rows = embed_files(options, identities.files, done)
    return verify(embeddings, identities.people[rows], len(identities.files) - len(rows))


def verify(embeddings: Embeddings, people: People, left_out: int = 0) -> Verification:
    """embeddings: (n, d), of `people`, (n,) int64.

    What is returned holds 5 bytes for each pair of photographs that is compared. Measuring it takes 10 at most, and
    its rows, figures and picture 13: 100 MB for 8,756 photographs. Raises DatasetError for a split that has no pair of
    one person, or too few of two for a rate of 1e-3.
    """
    _require_pairs(people)
    splits = [pairs(embeddings[rows], people[rows]) for rows in deal(people)]
    return Verification.of(splits, len(people), len(np.unique(people)), left_out)


def _require_pairs(people: People) -> None:
    """Raises DatasetError as `verify` does. Whose photographs they are says it; no distance is needed."""
    dealt = [people[rows] for rows in deal(people)]
    genuine = min(pairs_alike(split) for split in dealt)
    impostors = min(len(split) * (len(split) - 1) // 2 - pairs_alike(split) for split in dealt)
    if not genuine or impostors * FAR < 1:
        raise DatasetError(
            f"One of the {SPLITS} splits has {genuine} pairs of one person and {impostors} of two people; VAL at FMR "
            f"{FAR:g} needs 1 and {round(1 / FAR)}. Give more people, or more photographs of them."
        )


def deal(people: People) -> list[People]:
    """The rows of each split: every person is in one of them. Those with several photographs are dealt out first."""
    names, counts = np.unique(people, return_counts=True)
    shuffled = np.random.default_rng(SEED).permutation(len(names))
    order = shuffled[np.argsort(counts[shuffled] == 1, kind="stable")]
    return [np.flatnonzero(np.isin(people, names[order[split::SPLITS]])) for split in range(SPLITS)]


def pairs(embeddings: Embeddings, people: People) -> Split:
    """Every pair of rows once."""
    once = np.triu(np.ones((len(people), len(people)), bool), 1)
    return Split(squared_l2(embeddings, embeddings)[once], (people[:, None] == people)[once])
