"""Verification of people that the model was not trained on, as FaceNet measures it (sections 4 and 5, Table 3).

The people are divided into five splits. Within a split, every photograph is compared with every other. VAL at FMR 1e-3
is measured in each split separately. As in the paper, the result is the mean and its standard error. With few people,
the thresholds of the splits differ much. So the report also has one threshold for the pairs of all splits, at which
their FMR is 1e-3, and VAL at this threshold.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from matplotlib.figure import Figure

from models.errors import DatasetError
from models.evaluation.data.identities import SEED, Identities
from models.evaluation.data.pairs import ImageRows
from models.evaluation.embedding.files import embed_files
from models.evaluation.metrics.clustering import People, count_equal_pairs
from models.evaluation.metrics.labelled_pairs import REPORTED_FMR, LabelledPairs, MeanWithError, all_pairs, round_down
from models.evaluation.reports.report import Row, new_figure
from service.domain.distances import FACENET_THRESHOLD_SQ_L2, MAX_SQ_L2
from service.domain.embedding import Embeddings
from service.pipeline.opening import PipelineOptions

SPLIT_COUNT = 5


def val_of_splits(fmr: float) -> str:
    """Return the name of the mean VAL in tables and cards."""
    return f"VAL at FMR {fmr:g}, mean of {SPLIT_COUNT} splits"


VAL_OF_SPLITS = val_of_splits(REPORTED_FMR)
"""The name of the paper's VAL."""


@dataclass(frozen=True, slots=True, eq=False)
class Verification:
    """The result of verification.

    pairs: the pairs of all splits.
    splits: the pairs of each split. They are views of their part of `pairs`.
    photographs, people: how many were compared.
    left_out: how many photographs were left out because no face was found in them.
    fmr: at which VAL is measured.
    """

    pairs: LabelledPairs
    splits: tuple[LabelledPairs, ...]
    photographs: int
    people: int
    left_out: int
    fmr: float = REPORTED_FMR

    @classmethod
    def from_splits(
        cls,
        splits: Sequence[LabelledPairs],
        photographs: int,
        people: int,
        left_out: int,
        fmr: float = REPORTED_FMR,
    ) -> Self:
        """Return the result of two or more splits. No person is in two splits. The pairs are copied."""
        pairs = LabelledPairs(
            np.concatenate([split.distances for split in splits]), np.concatenate([split.same for split in splits])
        )
        ends = np.cumsum([split.same.size for split in splits]).tolist()
        views = [pairs.select(slice(start, end)) for start, end in zip([0, *ends], ends, strict=False)]
        return cls(pairs, tuple(views), photographs, people, left_out, fmr)

    @property
    def val(self) -> MeanWithError:
        """VAL at `fmr`, the mean over the splits. Each split has its own threshold."""
        return MeanWithError.from_values([split.val_at_fmr(self.fmr) for split in self.splits])

    def rows(self) -> list[Row]:
        """Return the rows of the table. The first row is the header."""
        pairs, best = self.pairs, self.pairs.balanced_threshold()
        return [
            (f"{self.people:,} people, {self.photographs:,} photographs", "measured"),
            ("photographs without a face", f"{self.left_out}"),
            ("pairs of one person, of two people", f"{pairs.mated_pairs:,}, {pairs.non_mated_pairs:,}"),
            (val_of_splits(self.fmr), self.val.as_percent),
            (f"VAL at FMR {self.fmr:g}, all pairs", f"{100 * pairs.val_at_fmr(self.fmr):.2f} %"),
            (f"threshold at FMR {self.fmr:g}, all pairs", f"{round_down(pairs.threshold_at_fmr(self.fmr)):.3f}"),
            (f"FMR, FNMR at {FACENET_THRESHOLD_SQ_L2}", _error_rates_text(pairs, FACENET_THRESHOLD_SQ_L2)),
            (f"FMR, FNMR at {best:.3f}, the best", _error_rates_text(pairs, best)),
        ]

    def numbers(self) -> dict[str, object]:
        """Return the measured numbers by name."""
        pairs, fmr = self.pairs, np.format_float_scientific(self.fmr, trim="-", exp_digits=1)
        return {
            "fmr": self.fmr,
            "photographs": self.photographs,
            "people": self.people,
            "left_out": self.left_out,
            f"val_at_fmr_{fmr}": self.val.value,
            "standard_error": self.val.standard_error,
            "vals": [split.val_at_fmr(self.fmr) for split in self.splits],
            f"thresholds_at_fmr_{fmr}_sq_l2": [split.threshold_at_fmr(self.fmr) for split in self.splits],
            f"all_pairs_val_at_fmr_{fmr}": pairs.val_at_fmr(self.fmr),
            f"all_pairs_threshold_at_fmr_{fmr}_sq_l2": pairs.threshold_at_fmr(self.fmr),
            "mated_pairs": pairs.mated_pairs,
            "non_mated_pairs": pairs.non_mated_pairs,
            "fmr_at_1.242": pairs.false_match_rate(FACENET_THRESHOLD_SQ_L2),
            "fnmr_at_1.242": 1.0 - pairs.validation_rate(FACENET_THRESHOLD_SQ_L2),
            "best_threshold_sq_l2": pairs.balanced_threshold(),
        }

    def draw(self) -> Figure:
        """Draw the histograms of the distances of mated and of non-mated pairs."""
        pairs, figure = self.pairs, new_figure()
        axes = figure.subplots()
        for rows, label in ((pairs.same, "one person"), (~pairs.same, "two people")):
            density, edges = np.histogram(pairs.distances[rows], 160, (0, MAX_SQ_L2), density=True)
            axes.stairs(density, edges, fill=True, alpha=0.6, label=label)
        axes.axvline(
            FACENET_THRESHOLD_SQ_L2,
            color="black",
            linewidth=1,
            label=f"threshold {FACENET_THRESHOLD_SQ_L2} of the paper",
        )
        fmr_label = f"FMR {self.fmr:g}"
        axes.axvline(pairs.threshold_at_fmr(self.fmr), color="black", linewidth=1, linestyle="--", label=fmr_label)
        axes.set(xlabel="squared L2 distance", ylabel="density of pairs", xlim=(0, 3))
        axes.set_title(f"{val_of_splits(self.fmr)}: {self.val.as_percent}", fontsize=9)
        axes.legend(loc="upper right")
        return figure


def _error_rates_text(pairs: LabelledPairs, d: float) -> str:
    fmr, fnmr = pairs.false_match_rate(d), 1.0 - pairs.validation_rate(d)
    return f"{100 * fmr:.3f} %, {100 * fnmr:.2f} %"


def evaluate_verification(
    options: PipelineOptions, identities: Identities, done: Callable[[], object], fmr: float = REPORTED_FMR
) -> Verification:
    """Embed the photographs with the pipeline of the service, and measure.

    done: called after each photograph.
    fmr: at which VAL is measured.
    Raises DatasetError if nobody has two photographs, or if there are too few people. This is checked before the first
    photograph is embedded. It is checked again afterwards, without the photographs that have no face.
    """
    if not np.any(np.bincount(identities.people) > 1):
        raise DatasetError(
            "Nobody has two photographs, so there are no mated pairs. Give a folder in which people have two or more."
        )
    _require_pairs(identities.people, fmr)
    embeddings, rows = embed_files(options, identities.files, done)
    return measure_verification(embeddings, identities.people[rows], len(identities.files) - len(rows), fmr)


def measure_verification(
    embeddings: Embeddings, people: People, left_out: int = 0, fmr: float = REPORTED_FMR
) -> Verification:
    """Compare the embeddings within each split.

    embeddings: (n, d) float32.
    people: (n,) int64.
    left_out: how many photographs have no face.
    fmr: at which VAL is measured.
    The result takes 5 bytes for each compared pair of photographs. The measurement takes at most 10 bytes for each
    pair. `rows`, `numbers` and `draw` take at most 13 bytes: 100 MB for 8,756 photographs.
    Raises DatasetError if a split has no mated pair, or too few non-mated pairs for this FMR.
    """
    _require_pairs(people, fmr)
    splits = [all_pairs(embeddings[rows], people[rows]) for rows in split_people(people)]
    return Verification.from_splits(splits, len(people), len(np.unique(people)), left_out, fmr)


def _require_pairs(people: People, fmr: float) -> None:
    """Raise DatasetError as `measure_verification` does. Only counts the pairs, without computing distances."""
    splits = [people[rows] for rows in split_people(people)]
    mated = min(count_equal_pairs(split) for split in splits)
    non_mated = min(len(split) * (len(split) - 1) // 2 - count_equal_pairs(split) for split in splits)
    if not mated or non_mated * fmr < 1:
        raise DatasetError(
            f"The smallest numbers of pairs in the {SPLIT_COUNT} splits are {mated} of one person and {non_mated} of "
            f"two people. VAL at FMR {fmr:g} needs at least 1 and {round(1 / fmr)} in each split. "
            "Give more people, or more photographs of them."
        )


def split_people(people: People) -> list[ImageRows]:
    """Return the rows of each split. Every person is in one split. The division is the same in every call.

    People with two or more photographs are distributed first. So two splits differ by at most one such person.
    """
    numbers, counts = np.unique(people, return_counts=True)
    shuffled = np.random.default_rng(SEED).permutation(len(numbers))
    order = shuffled[np.argsort(counts[shuffled] == 1, kind="stable")]
    return [np.flatnonzero(np.isin(people, numbers[order[split::SPLIT_COUNT]])) for split in range(SPLIT_COUNT)]
