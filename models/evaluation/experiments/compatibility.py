"""Two models measured against each other on Labelled Faces in the Wild (FaceNet, appendix: harmonic embeddings).

An old model embedded the references of a gallery, and a new model embeds the probes. Three combinations are measured:
the old model with itself, the new model with itself, and probes of the new model against references of the old model.
In the paper, the third combination is better than the old model with itself, and worse than the new model with itself.

Pairs of View 2: each pair is compared in both directions. First the new model embeds the left photograph, and the old
model the right one. Then the old model embeds the left photograph, and the new model the right one. Both distances are
in the fold of the pair. So the threshold that decides a pair is chosen without its two distances. Within one model the
two distances are equal, and the numbers are those of `lfw.py`.

Closed-set identification: the gallery holds the first photograph of each person with two or more photographs, and the
other photographs of these people are the probes. Rank-1 is the share of probes whose nearest reference is of the right
person.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from models.errors import DatasetError, InvalidModel
from models.evaluation.data.pairs import ImageRows, PairList
from models.evaluation.embedding.files import embed_files
from models.evaluation.experiments import lfw
from models.evaluation.metrics.clustering import People
from models.evaluation.metrics.labelled_pairs import (
    REPORTED_FMR,
    CrossValidation,
    Folds,
    LabelledPairs,
    cross_validate,
)
from models.evaluation.reports.report import Row, add_roc_axes, new_figure
from service.domain.distances import paired_squared_l2, squared_l2
from service.domain.embedding import Embeddings
from service.model_files.card import BenchmarkResult, EmbedderCard
from service.pipeline.opening import PipelineOptions, open_embedder


@dataclass(frozen=True, slots=True, eq=False)
class Benchmark:
    """What is compared. All rows are rows of `pair_list.images`, which also holds the gallery and the probes.

    people: (n,) int64, the person on each photograph.
    gallery: (p,) int64, the first photograph of each person with two or more photographs.
    probes: (q,) int64, the other photographs of the same people.
    """

    pair_list: PairList
    people: People
    gallery: ImageRows
    probes: ImageRows


@dataclass(frozen=True, slots=True, eq=False)
class ModelPairResult:
    """The result of probes of one model against references of another model, or of the same model.

    probe, reference: the names of the models.
    pairs: each pair of photographs occurs twice, once in each direction.
    folds: (n,) int64, the fold of each pair.
    rank_1: the share of probes whose nearest reference is of the right person.
    """

    probe: str
    reference: str
    pairs: LabelledPairs
    folds: Folds
    rank_1: float

    @property
    def title(self) -> str:
        return f"{self.probe} against {self.reference}"

    @property
    def cross_validation(self) -> CrossValidation:
        return cross_validate(self.pairs, self.folds)

    def row(self) -> Row:
        """Return the row of the table."""
        accuracy = self.cross_validation.accuracy.as_percent
        return self.title, accuracy, self.pairs.val_text(), f"{100 * self.rank_1:.2f} %"

    def numbers(self) -> dict[str, object]:
        """Return the measured numbers by name."""
        folds = self.cross_validation
        return {
            "probe": self.probe,
            "reference": self.reference,
            "accuracy": folds.accuracy.value,
            "standard_error": folds.accuracy.standard_error,
            "accuracies": folds.accuracies.tolist(),
            "thresholds_sq_l2": folds.thresholds.tolist(),
            "val_at_fmr_1e-3": self.pairs.val_at_fmr(),
            "threshold_at_fmr_1e-3_sq_l2": self.pairs.threshold_at_fmr(),
            "rank_1": self.rank_1,
        }

    def card_results(self, references: int, command: str) -> tuple[BenchmarkResult, ...]:
        """Return the numbers as results for the card of the model of the probes.

        references: how many people the gallery holds.
        command: the command that measured the numbers.
        """
        accuracy, name = self.cross_validation.accuracy, self.reference
        return (
            BenchmarkResult(
                benchmark=f"LFW View 2, accuracy, against {name}",
                value=round(accuracy.value, 4),
                standard_error=round(accuracy.standard_error, 4),
                command=command,
            ),
            BenchmarkResult(
                benchmark=f"LFW View 2, VAL at FMR 1e-3, against {name}",
                value=round(self.pairs.val_at_fmr(), 4),
                command=command,
            ),
            BenchmarkResult(
                benchmark=f"LFW, closed-set rank-1 of {references:,} references, against {name}",
                value=round(self.rank_1, 4),
                command=command,
            ),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Compatibility:
    """The three combinations: old with old, new with new, and new probes against old references.

    references: how many people the gallery holds.
    """

    old: ModelPairResult
    new: ModelPairResult
    across: ModelPairResult
    references: int

    @property
    def model_pairs(self) -> tuple[ModelPairResult, ...]:
        return self.old, self.new, self.across

    def rows(self) -> list[Row]:
        """Return the rows of the table. The first row is the header."""
        header = ("LFW: probes against gallery", "accuracy", f"VAL at FMR {REPORTED_FMR:g}", "rank-1")
        return [header, *(model_pair.row() for model_pair in self.model_pairs)]

    def numbers(self) -> dict[str, object]:
        """Return the numbers of each of the three combinations."""
        return {"references": self.references, "model_pairs": [model_pair.numbers() for model_pair in self.model_pairs]}

    def results(self, command: str) -> tuple[BenchmarkResult, ...]:
        """Return the numbers of new probes against old references, as results for the new model's card.

        command: the command that measured the numbers.
        """
        return self.across.card_results(self.references, command)

    def draw(self) -> Figure:
        """Draw the three curves of VAL against FMR."""
        figure = new_figure()
        axes = add_roc_axes(figure)
        for model_pair, line in zip(self.model_pairs, ("-", "-", "--"), strict=True):
            curve = model_pair.pairs.roc()
            axes.step(curve.fmr, curve.val, where="post", linestyle=line, label=model_pair.title)
        axes.set_xlim(lfw.lowest_fmr(self.across.pairs), 1)
        axes.set_title(f"LFW, View 2: VAL {self.across.pairs.val_text()} across at FMR {REPORTED_FMR:g}", fontsize=9)
        axes.legend(loc="lower right")
        return figure


def read_benchmark(images: Path, pair_list: PairList) -> Benchmark:
    """Return the pairs of the list, and a gallery and probes of all people with two or more photographs.

    images: the folder that holds NAME/NAME_0001.jpg, ...
    pair_list: of View 2.
    Raises DatasetError if nobody has two photographs.
    """
    people_with_several = [photographs for photographs in _read_photographs(images) if len(photographs) > 1]
    if not people_with_several:
        raise DatasetError(
            f"Nobody in {images} has two photographs, so nobody can be identified. Give a folder in which people have "
            "two or more photographs."
        )
    all_images = sorted({*pair_list.images, *(image for photographs in people_with_several for image in photographs)})
    row = {image: number for number, image in enumerate(all_images)}
    rows = np.array([row[image] for image in pair_list.images], np.int64)
    _, people = np.unique([image.parent.as_posix() for image in all_images], return_inverse=True)
    return Benchmark(
        pair_list=replace(pair_list, images=tuple(all_images), left=rows[pair_list.left], right=rows[pair_list.right]),
        people=people.astype(np.int64),
        gallery=np.array([row[photographs[0]] for photographs in people_with_several], np.int64),
        probes=np.array([row[image] for photographs in people_with_several for image in photographs[1:]], np.int64),
    )


def _read_photographs(images: Path) -> list[list[Path]]:
    """Return the photographs of each person in the order of their numbers, as paths within the folder."""
    if not images.is_dir():
        raise DatasetError(f"{images} is not a folder. It should hold NAME/NAME_0001.jpg.")
    people = (sorted(person.glob("*.jpg")) for person in sorted(images.iterdir()))
    return [[image.relative_to(images) for image in photographs] for photographs in people]


def evaluate_compatibility(
    old: PipelineOptions, new: PipelineOptions, images: Path, benchmark: Benchmark, done: Callable[[], object]
) -> Compatibility:
    """Embed every photograph with each of the two models, and compare.

    The two models may need different crops. So faces are detected once for each model. This takes about 25 ms for each
    photograph on one core.

    images: the folder that holds NAME/NAME_0001.jpg, ...
    done: called after each photograph, once for each model.
    Raises DatasetError if a photograph is missing or has no face, and for a list of one fold. Raises InvalidModel if
    the two models have different dimensions.
    """
    lfw.require_folds(benchmark.pair_list)
    cards = open_embedder(old).card, open_embedder(new).card
    check_dimensions(*cards)
    files = lfw.find_photographs(images, benchmark.pair_list)
    embedded = []
    for options, card in zip((old, new), cards, strict=True):
        embeddings, rows = embed_files(options, files, done)
        lfw.require_faces(files, rows, "Give a list and a folder without them.")
        embedded.append((card.name, embeddings))
    return compare_models(embedded[0], embedded[1], benchmark)


def check_dimensions(old: EmbedderCard, new: EmbedderCard) -> None:
    """Raise InvalidModel if the embeddings of the two models have different dimensions."""
    if old.dimension != new.dimension:
        raise InvalidModel(
            f"{old.name} has {old.dimension} dimensions and {new.name} has {new.dimension}. Give two models of the "
            "same dimension."
        )


NamedEmbeddings = tuple[str, Embeddings]
"""The name of a model, and its embeddings of the photographs of the benchmark, row by row: (n, d)."""


def compare_models(old: NamedEmbeddings, new: NamedEmbeddings, benchmark: Benchmark) -> Compatibility:
    """Compare all three combinations."""
    return Compatibility(
        old=compare_probes_with_references(old, old, benchmark),
        new=compare_probes_with_references(new, new, benchmark),
        across=compare_probes_with_references(new, old, benchmark),
        references=len(benchmark.gallery),
    )


def compare_probes_with_references(
    probe: NamedEmbeddings, reference: NamedEmbeddings, benchmark: Benchmark
) -> ModelPairResult:
    """Compare every pair in both directions, and every probe with the gallery."""
    (probe_name, probes), (reference_name, references) = probe, reference
    pair_list = benchmark.pair_list
    left_is_probe = paired_squared_l2(probes[pair_list.left], references[pair_list.right])
    right_is_probe = paired_squared_l2(probes[pair_list.right], references[pair_list.left])
    nearest = squared_l2(probes[benchmark.probes], references[benchmark.gallery]).argmin(axis=1)
    correct = benchmark.people[benchmark.gallery[nearest]] == benchmark.people[benchmark.probes]
    return ModelPairResult(
        probe=probe_name,
        reference=reference_name,
        pairs=LabelledPairs(np.concatenate([left_is_probe, right_is_probe]), np.tile(pair_list.same, 2)),
        folds=np.tile(pair_list.folds, 2),
        rank_1=float(correct.mean()),
    )
