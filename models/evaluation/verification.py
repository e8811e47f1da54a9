"""Verification of people who were not trained on, as FaceNet measures it (sections 4 and 5, Table 3).

The people are dealt into five splits, and within each every photograph is compared with every other. VAL at FAR 1e-3 is
measured in each split by itself; the result is the mean and its standard error.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from models.embedding import embed_files
from models.errors import DatasetError
from models.evaluation import metrics
from models.evaluation.clustering import People
from models.evaluation.identities import SEED, Identities
from models.evaluation.metrics import FACENET_THRESHOLD, FAR, Distances, Mean, Same
from models.evaluation.report import Row, canvas
from service.card import ErrorRate
from service.distances import squared_l2
from service.domain import Embeddings
from service.pipeline import PipelineOptions

SPLITS = 5


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
        return metrics.validation_rate(self.distances, self.same, self.threshold_at_far)

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
    """What was measured on `photographs` of `people`. left_out: photographs in which no face was found."""

    splits: tuple[Split, ...]
    photographs: int
    people: int
    left_out: int

    @property
    def val(self) -> Mean:
        """VAL at FAR 1e-3 over the splits."""
        return Mean.of([split.val for split in self.splits])

    @property
    def threshold_at_far(self) -> Mean:
        """Where FAR is 1e-3, over the splits."""
        return Mean.of([split.threshold_at_far for split in self.splits])

    @property
    def whole(self) -> Split:
        """The pairs of all the splits."""
        return Split(
            np.concatenate([split.distances for split in self.splits]),
            np.concatenate([split.same for split in self.splits]),
        )

    @property
    def best_threshold(self) -> float:
        """The d with the least FMR + FNMR over the pairs of all the splits."""
        whole = self.whole
        return metrics.balanced_threshold(whole.distances, whole.same)

    def rows(self) -> list[Row]:
        """What the table shows; the first names the columns."""
        whole, best = self.whole, self.best_threshold
        return [
            (f"{self.people:,} people, {self.photographs:,} photographs", "measured"),
            ("photographs without a face", f"{self.left_out}"),
            ("pairs of one person, of two people", f"{whole.genuine_pairs:,}, {whole.impostor_pairs:,}"),
            (f"VAL at FMR {FAR:g}", self.val.percent),
            (f"threshold at FMR {FAR:g}", f"{self.threshold_at_far.value:.3f}"),
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
            "genuine_pairs": whole.genuine_pairs,
            "impostor_pairs": whole.impostor_pairs,
            "fmr_at_1.242": whole.fmr(FACENET_THRESHOLD),
            "fnmr_at_1.242": whole.fnmr(FACENET_THRESHOLD),
            "best_threshold_sq_l2": self.best_threshold,
        }

    def draw(self) -> Figure:
        """How far the pairs of one person and those of two are apart."""
        whole, figure = self.whole, canvas()
        axes, bins = figure.subplots(), np.linspace(0, 4, 161).tolist()
        for kind, label in ((whole.same, "one person"), (~whole.same, "two people")):
            axes.hist(whole.distances[kind], bins, density=True, alpha=0.6, label=label)
        axes.axvline(FACENET_THRESHOLD, color="black", linewidth=1, label=f"{FACENET_THRESHOLD}")
        axes.axvline(self.threshold_at_far.value, color="black", linewidth=1, linestyle="--", label=f"FMR {FAR:g}")
        axes.set(xlabel="squared L2 distance", ylabel="density of pairs", xlim=(0, 3))
        axes.set_title(f"VAL {self.val.percent} at FMR {FAR:g}", fontsize=9)
        axes.legend(loc="upper right")
        return figure


def evaluate(options: PipelineOptions, identities: Identities, done: Callable[[], object]) -> Verification:
    """Embeds the photographs through the pipeline that serves, and measures. `done` is called after each.

    Raises DatasetError where nobody has two photographs, or the people are too few.
    """
    if not np.any(np.bincount(identities.people) > 1):
        raise DatasetError("Nobody has two photographs, so there is nothing to verify. Give a folder where people do.")
    embeddings, rows = embed_files(options, identities.files, done)
    return verify(embeddings, identities.people[rows], len(identities.files) - len(rows))


def verify(embeddings: Embeddings, people: People, left_out: int = 0) -> Verification:
    """embeddings: (n, d), of `people`, (n,) int64. Takes some 25 bytes for each pair of photographs of a split.

    Raises DatasetError for a split that has no pair of one person, or too few of two for a rate of 1e-3.
    """
    splits = tuple(pairs(embeddings[rows], people[rows]) for rows in deal(people))
    genuine = min(split.genuine_pairs for split in splits)
    impostors = min(split.impostor_pairs for split in splits)
    if not genuine or impostors * FAR < 1:
        raise DatasetError(
            f"One of the {SPLITS} splits has {genuine} pairs of one person and {impostors} of two people; VAL at FMR "
            f"{FAR:g} needs 1 and {round(1 / FAR)}. Give more people, or more photographs of them."
        )
    return Verification(splits, len(people), len(np.unique(people)), left_out)


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
