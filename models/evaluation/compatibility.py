"""Two models measured against each other on Labelled Faces in the Wild (FaceNet, appendix: harmonic embeddings).

An old model made a gallery, and a new one is to search it. So three things are measured: the old model with itself, the
new one with itself, and the new one's probes against the old one's references. Across, the paper's models are better
than the old one and worse than the new one.

Pairs of View 2: each is compared both ways, the new model's embedding of the left photograph with the old one's of the
right, and the other way round. Both distances belong to the pair's fold, so that neither has a part in the threshold
that decides it. Within one model both ways are the same number, and the figures are those of `lfw.py`.

Closed-set identification: the gallery holds the first photograph of each person with two or more, the probes are their
others. Rank-1 is the share of probes whose nearest reference is of the right person.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.embedding import embed_files
from models.errors import DatasetError, InvalidModel
from models.evaluation import lfw, metrics
from models.evaluation.clustering import People
from models.evaluation.metrics import FAR, CrossValidation, Distances, Folds, Mean, Same
from models.evaluation.pairs import Pairs
from models.evaluation.report import Row, canvas, roc_axes
from service.card import EmbedderCard, Result
from service.distances import paired_squared_l2, squared_l2
from service.domain import Embeddings
from service.pipeline import PipelineOptions, open_embedder

Rows = NDArray[np.int64]
"""(n,) int64: rows of the list of photographs."""


@dataclass(frozen=True, slots=True, eq=False)
class Benchmark:
    """What is compared. `pairs.images` are the photographs of both parts, each once.

    people: (n,) int64, whom each shows. gallery: the first photograph of each person with several. probes: the others.
    """

    pairs: Pairs
    people: People
    gallery: Rows
    probes: Rows


@dataclass(frozen=True, slots=True, eq=False)
class Meeting:
    """Probes of one model against references of another, or of itself; both by name.

    distances, same, folds: (n,), see `metrics.py`; each pair of photographs is there twice, once each way.
    """

    probe: str
    reference: str
    distances: Distances
    same: Same
    folds: Folds
    rank_1: float

    @property
    def title(self) -> str:
        """Who meets whom."""
        return f"{self.probe} against {self.reference}"

    @property
    def cross_validation(self) -> CrossValidation:
        """Accuracy by folds."""
        return metrics.cross_validate(self.distances, self.same, self.folds)

    @property
    def threshold_at_far(self) -> float:
        """The largest d with FAR(d) <= 1e-3."""
        return metrics.threshold_at(self.distances, self.same, FAR)

    @property
    def val(self) -> float:
        """VAL at FAR 1e-3."""
        return metrics.val_at(self.distances, self.same, FAR)

    def figures(self) -> dict[str, object]:
        """The numbers by name."""
        folds = self.cross_validation
        return {
            "probe": self.probe,
            "reference": self.reference,
            "accuracy": folds.mean,
            "standard_error": folds.standard_error,
            "accuracies": folds.accuracies.tolist(),
            "thresholds_sq_l2": folds.thresholds.tolist(),
            "val_at_far_1e-3": self.val,
            "threshold_at_far_1e-3_sq_l2": self.threshold_at_far,
            "rank_1": self.rank_1,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Compatibility:
    """What was measured: each of the two with itself, and the new one's probes against the old one's references.

    references: how many people the gallery holds.
    """

    old: Meeting
    new: Meeting
    across: Meeting
    references: int

    @property
    def meetings(self) -> tuple[Meeting, ...]:
        """All three."""
        return self.old, self.new, self.across

    def rows(self) -> list[Row]:
        """What the table shows; the first names the columns."""
        header = ("LFW: probes against gallery", "accuracy", f"VAL at FMR {FAR:g}", "rank-1")
        return [header, *(_row(one) for one in self.meetings)]

    def figures(self) -> dict[str, object]:
        """The numbers of each of the three."""
        return {"references": self.references, "meetings": [one.figures() for one in self.meetings]}

    def results(self, command: str) -> tuple[Result, ...]:
        """The numbers across, as the new model's card has them. command: the one that gave them."""
        folds, name = self.across.cross_validation, self.across.reference
        return (
            Result(
                benchmark=f"LFW View 2, accuracy, against {name}",
                value=round(folds.mean, 4),
                standard_error=round(folds.standard_error, 4),
                command=command,
            ),
            Result(
                benchmark=f"LFW View 2, VAL at FMR 1e-3, against {name}",
                value=round(self.across.val, 4),
                command=command,
            ),
            Result(
                benchmark=f"LFW, closed-set rank-1 of {self.references:,} references, against {name}",
                value=round(self.across.rank_1, 4),
                command=command,
            ),
        )

    def draw(self) -> Figure:
        """Their three curves."""
        figure = canvas()
        axes = roc_axes(figure)
        for one, line in zip(self.meetings, ("-", "-", "--"), strict=True):
            curve = metrics.roc(one.distances, one.same)
            axes.step(curve.far, curve.val, where="post", linestyle=line, label=one.title)
        axes.set_xlim(lfw.LEAST_FAR, 1)
        axes.set_title(f"LFW, View 2: VAL {100 * self.across.val:.2f} % across at FMR {FAR:g}", fontsize=9)
        axes.legend(loc="lower right")
        return figure


def _row(one: Meeting) -> Row:
    folds = one.cross_validation
    accuracy = Mean(folds.mean, folds.standard_error).percent
    return one.title, accuracy, f"{100 * one.val:.2f} %", f"{100 * one.rank_1:.2f} %"


def read_benchmark(images: Path, pairs: Pairs) -> Benchmark:
    """images: the folder NAME/NAME_0001.jpg, ... pairs: View 2's. Raises DatasetError where nobody is there twice."""
    several = [theirs for theirs in _photographs(images) if len(theirs) > 1]
    if not several:
        raise DatasetError(
            f"Nobody in {images} has two photographs, so there is nobody to identify. Give a folder where people do."
        )
    every = sorted({*pairs.images, *(image for theirs in several for image in theirs)})
    row = {image: number for number, image in enumerate(every)}
    rows = np.array([row[image] for image in pairs.images], np.int64)
    _, people = np.unique([image.parent.as_posix() for image in every], return_inverse=True)
    return Benchmark(
        pairs=replace(pairs, images=tuple(every), left=rows[pairs.left], right=rows[pairs.right]),
        people=people.astype(np.int64),
        gallery=np.array([row[theirs[0]] for theirs in several], np.int64),
        probes=np.array([row[image] for theirs in several for image in theirs[1:]], np.int64),
    )


def _photographs(images: Path) -> list[list[Path]]:
    """Each person's, in the order of their numbers, as paths within the folder."""
    if not images.is_dir():
        raise DatasetError(f"{images} is not a folder. It should hold NAME/NAME_0001.jpg.")
    people = (sorted(person.glob("*.jpg")) for person in sorted(images.iterdir()))
    return [[image.relative_to(images) for image in theirs] for theirs in people]


def evaluate(
    old: PipelineOptions, new: PipelineOptions, images: Path, benchmark: Benchmark, done: Callable[[], object]
) -> Compatibility:
    """`done` is called after each photograph, once for each model.

    Each model has crops of its own, so faces are found twice: some 25 ms a photograph and core for either. Raises
    DatasetError for a list of one fold and for a photograph that is missing or in which no face is found, InvalidModel
    as `check_dimensions` does.
    """
    lfw.require_folds(benchmark.pairs)
    cards = open_embedder(old).card, open_embedder(new).card
    check_dimensions(*cards)
    files = lfw.photographs(images, benchmark.pairs)
    embeddings = []
    for options in (old, new):
        found, rows = embed_files(options, files, done)
        lfw.require_faces(files, rows, "Give a list and a folder without them.")
        embeddings.append(found)
    return compare((cards[0].name, embeddings[0]), (cards[1].name, embeddings[1]), benchmark)


def check_dimensions(old: EmbedderCard, new: EmbedderCard) -> None:
    """Raises InvalidModel unless the two have embeddings of one dimension."""
    if old.dimension != new.dimension:
        raise InvalidModel(
            f"{old.name} has {old.dimension} dimensions and {new.name} has {new.dimension}. Only models of one "
            "dimension can be compatible."
        )


Named = tuple[str, Embeddings]
"""A model's name, and its embeddings of the benchmark's photographs, row by row: (n, d)."""


def compare(old: Named, new: Named, benchmark: Benchmark) -> Compatibility:
    """All three meetings."""
    return Compatibility(
        old=meet(old, old, benchmark),
        new=meet(new, new, benchmark),
        across=meet(new, old, benchmark),
        references=len(benchmark.gallery),
    )


def meet(probe: Named, reference: Named, benchmark: Benchmark) -> Meeting:
    """Every pair both ways, and every probe against the gallery."""
    (probe_name, probes), (reference_name, references) = probe, reference
    pairs = benchmark.pairs
    there = paired_squared_l2(probes[pairs.left], references[pairs.right])
    back = paired_squared_l2(probes[pairs.right], references[pairs.left])
    nearest = squared_l2(probes[benchmark.probes], references[benchmark.gallery]).argmin(axis=1)
    right = benchmark.people[benchmark.gallery[nearest]] == benchmark.people[benchmark.probes]
    return Meeting(
        probe=probe_name,
        reference=reference_name,
        distances=np.concatenate([there, back]),
        same=np.tile(pairs.same, 2),
        folds=np.tile(pairs.folds, 2),
        rank_1=float(right.mean()),
    )
