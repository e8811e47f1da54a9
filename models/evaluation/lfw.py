"""Labelled Faces in the Wild, View 2 (Huang et al., 2007): unrestricted, with labelled outside data.

Ten folds of 300 pairs of one person and 300 of two people; each fold is decided at the threshold that is best for the
other nine; the result is the mean accuracy and its standard error. What FaceNet reports in section 5.6.
"""

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from matplotlib.figure import Figure

from models.embedding import embed_files
from models.errors import DatasetError
from models.evaluation import metrics
from models.evaluation.metrics import FACENET_THRESHOLD, FAR, CrossValidation, Distances, Mean, Roc
from models.evaluation.pairs import Pairs
from models.evaluation.report import canvas, png, roc_axes
from models.files import write_atomically
from service.distances import paired_squared_l2
from service.domain import Embeddings
from service.pipeline import PipelineOptions

LEAST_FAR = 3e-4
"""Where the picture begins: View 2's 3,000 pairs of two people show no other FAR below it than 0."""

NO_FACE = "Give a list without them; evaluate lfw can do without a detector, by --crop centre."
"""What to do about photographs of the list without a face."""


class EmbedFiles(Protocol):
    """How the photographs become embeddings: detected and aligned (`embed_files`), or a fixed crop (`centre.py`)."""

    def __call__(
        self, options: PipelineOptions, files: Sequence[Path], done: Callable[[], object], /
    ) -> tuple[Embeddings, list[int]]:
        """(m, d) embeddings and the m rows of `files` in which there was a face. `done` is called after each file."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What was measured. distances: (n,) float32, squared L2, in the order of the list of pairs."""

    pairs: Pairs
    distances: Distances

    @property
    def cross_validation(self) -> CrossValidation:
        """Accuracy by folds."""
        return metrics.cross_validate(self.distances, self.pairs.same, self.pairs.folds)

    @property
    def curve(self) -> Roc:
        """VAL and FAR at each threshold."""
        return metrics.roc(self.distances, self.pairs.same)

    @property
    def threshold_at_far(self) -> float:
        """The d where FAR(d) is at most 1e-3 over all pairs."""
        return metrics.threshold_at(self.distances, self.pairs.same, FAR)

    def figures(self) -> dict[str, float | list[float]]:
        """The numbers that a reader wants, by name."""
        folds, same = self.cross_validation, self.pairs.same
        return {
            "accuracy": folds.mean,
            "standard_error": folds.standard_error,
            "accuracies": folds.accuracies.tolist(),
            "thresholds_sq_l2": folds.thresholds.tolist(),
            "val_at_far_1e-3": metrics.val_at(self.distances, same, FAR),
            "threshold_at_far_1e-3_sq_l2": self.threshold_at_far,
            "accuracy_at_1.242": metrics.accuracy(self.distances, same, FACENET_THRESHOLD),
            "far_at_1.242": metrics.false_accept_rate(self.distances, same, FACENET_THRESHOLD),
            "val_at_1.242": metrics.validation_rate(self.distances, same, FACENET_THRESHOLD),
        }

    def lines(self) -> list[tuple[str, str]]:
        """The figures in words, as a table shows them."""
        folds, same = self.cross_validation, self.pairs.same
        best = metrics.best_threshold(self.distances, same)
        val = metrics.val_at(self.distances, same, FAR)
        at_facenet = metrics.accuracy(self.distances, same, FACENET_THRESHOLD)
        return [
            ("pairs", f"{same.size}"),
            ("accuracy", f"{100 * folds.mean:.2f} ± {100 * folds.standard_error:.2f} %"),
            ("best threshold", f"{best:.3f}"),
            (f"accuracy at {FACENET_THRESHOLD}", f"{100 * at_facenet:.2f} %"),
            (f"VAL at FMR {FAR:g}", f"{100 * val:.2f} %"),
            (f"threshold at FMR {FAR:g}", f"{metrics.rounded_down(self.threshold_at_far):.3f}"),
        ]

    def draw(self) -> Figure:
        """VAL against FAR, from the lowest VAL that is shown."""
        curve, folds, figure = self.curve, self.cross_validation, canvas()
        axes, lowest = roc_axes(figure), float(curve.val[curve.far <= LEAST_FAR].max())
        axes.step(curve.far, curve.val, where="post")
        axes.set(xlim=(LEAST_FAR, 1), ylim=(lowest - 0.02, 1.005))
        axes.set_title(f"LFW: {Mean(folds.mean, folds.standard_error).percent}", fontsize=9)
        return figure


def evaluate(
    options: PipelineOptions,
    images: Path,
    pairs: Pairs,
    done: Callable[[], object],
    embed: EmbedFiles = embed_files,
) -> Report:
    """Embeds every photograph of the list once and measures. `done` is called after each.

    Raises DatasetError for a photograph that is missing or in which no face is found: a pair is never skipped. And for
    a list of one fold, as `require_folds` does.
    """
    require_folds(pairs)
    return Report(pairs, pair_distances(embeddings(options, images, pairs, done, embed), pairs))


def embeddings(
    options: PipelineOptions,
    images: Path,
    pairs: Pairs,
    done: Callable[[], object],
    embed: EmbedFiles = embed_files,
) -> Embeddings:
    """(n, d), row by row of `pairs.images`. Raises DatasetError for a photograph as `evaluate` does."""
    files = photographs(images, pairs)
    found, rows = embed(options, files, done)
    require_faces(files, rows, NO_FACE)
    return found


def require_folds(pairs: Pairs) -> None:
    """Raises DatasetError for a list of one fold: what is cross-validated takes each threshold from other folds."""
    if len(np.unique(pairs.folds)) < 2:
        raise DatasetError("The list has one fold, and its threshold comes from the others. LFW's pairs.txt has ten.")


def photographs(images: Path, pairs: Pairs) -> list[Path]:
    """The files of `pairs.images`. Raises DatasetError where one is missing."""
    files = [images / image for image in pairs.images]
    missing = [file for file in files if not file.is_file()]
    if missing:
        raise DatasetError(
            f"{len(missing)} of {len(files)} photographs are missing, the first is {missing[0]}. --images is the "
            "folder that holds NAME/NAME_0001.jpg."
        )
    return files


def require_faces(files: Sequence[Path], rows: Sequence[int], remedy: str) -> None:
    """rows: of the files in which a face was found. Raises DatasetError unless they are all of them.

    remedy: what to do then, such as `NO_FACE`.
    """
    if len(rows) < len(files):
        faceless = sorted(set(range(len(files))) - set(rows))
        first = files[faceless[0]]
        raise DatasetError(f"No face was found in {len(faceless)} photographs, the first is {first}. {remedy}")


def pair_distances(embeddings: Embeddings, pairs: Pairs) -> Distances:
    """embeddings: (n, d), row by row of `pairs.images`. Returns the squared L2 distance of each pair."""
    return paired_squared_l2(embeddings[pairs.left], embeddings[pairs.right])


def write(report: Report, folder: Path, settings: dict[str, str]) -> None:
    """lfw.json: figures and curve. lfw.npz: every pair's distance. lfw.png: the curve. settings: said in the JSON.

    Nothing is written before all three are made.
    """
    text, distances, picture = _json(report, settings), _npz(report), png(report.draw())
    write_atomically(folder / "lfw.json", text)
    write_atomically(folder / "lfw.npz", distances)
    write_atomically(folder / "lfw.png", picture)


def _json(report: Report, settings: dict[str, str]) -> bytes:
    curve = report.curve
    finite = np.isfinite(curve.thresholds)
    content = {
        "settings": settings,
        "figures": report.figures(),
        "roc": {
            "threshold_sq_l2": curve.thresholds[finite].tolist(),
            "far": curve.far[finite].tolist(),
            "val": curve.val[finite].tolist(),
        },
    }
    return json.dumps(content, indent=1).encode()


def _npz(report: Report) -> bytes:
    pairs, file = report.pairs, io.BytesIO()
    images = np.array([image.as_posix() for image in pairs.images])
    np.savez_compressed(
        file,
        distances=report.distances,
        same=pairs.same,
        folds=pairs.folds,
        left=images[pairs.left],
        right=images[pairs.right],
    )
    return file.getvalue()
