"""Labelled Faces in the Wild, View 2 (Huang et al., 2007): unrestricted, with labelled outside data.

There are ten folds of 300 mated pairs and 300 non-mated pairs. Each fold is decided at the threshold that is best for
the other nine. The result is the mean accuracy and its standard error, as FaceNet reports it in section 5.6.
"""

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from matplotlib.figure import Figure

from models.errors import DatasetError
from models.evaluation.data.pairs import PairList
from models.evaluation.embedding.files import embed_files
from models.evaluation.metrics.labelled_pairs import (
    REPORTED_FMR,
    CrossValidation,
    LabelledPairs,
    cross_validate,
    round_down,
)
from models.evaluation.reports.report import Row, add_roc_axes, add_title, new_figure, to_png
from models.files import write_atomically
from service.domain.distances import FACENET_THRESHOLD_SQ_L2
from service.domain.embedding import Embeddings
from service.pipeline.opening import PipelineOptions

NO_FACE_REMEDY = "Give a list without them. Or run evaluate lfw --crop centre, which needs no detector."
"""What the user can do if photographs of the list have no face."""


class EmbedFiles(Protocol):
    """How photographs become embeddings: detected and aligned (`embed_files`), or a fixed crop (`embed_centres`)."""

    def __call__(
        self, options: PipelineOptions, files: Sequence[Path], done: Callable[[], object], /
    ) -> tuple[Embeddings, list[int]]:
        """Embed the face of each file. `done` is called after each file.

        Returns (m, d) float32 embeddings, and the rows of the `files` that have a face.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class LfwReport:
    """The result on LFW.

    pairs: the distances, pair by pair of `pair_list`.
    """

    pair_list: PairList
    pairs: LabelledPairs

    @property
    def cross_validation(self) -> CrossValidation:
        return cross_validate(self.pairs, self.pair_list.folds)

    def rows(self) -> list[Row]:
        """Return the rows of the table. The first row is the header."""
        pairs, measured = self.pairs, self.pairs.measures(REPORTED_FMR)
        return [
            ("LFW", "measured"),
            ("pairs", f"{pairs.same.size}"),
            ("accuracy", self.cross_validation.accuracy.as_percent),
            ("best threshold", f"{pairs.best_threshold():.3f}"),
            (f"accuracy at {FACENET_THRESHOLD_SQ_L2}", f"{100 * pairs.accuracy(FACENET_THRESHOLD_SQ_L2):.2f} %"),
            (f"VAL at FMR {REPORTED_FMR:g}", pairs.val_text()),
            (f"threshold at FMR {REPORTED_FMR:g}", f"{round_down(pairs.threshold_at_fmr()):.3f}" if measured else ""),
        ]

    def numbers(self) -> dict[str, object]:
        """Return the measured numbers by name."""
        pairs, folds = self.pairs, self.cross_validation
        return {
            "accuracy": folds.accuracy.value,
            "standard_error": folds.accuracy.standard_error,
            "accuracies": folds.accuracies.tolist(),
            "thresholds_sq_l2": folds.thresholds.tolist(),
            "val_at_fmr_1e-3": pairs.val_at_fmr(),
            "threshold_at_fmr_1e-3_sq_l2": pairs.threshold_at_fmr(),
            "accuracy_at_1.242": pairs.accuracy(FACENET_THRESHOLD_SQ_L2),
            "fmr_at_1.242": pairs.false_match_rate(FACENET_THRESHOLD_SQ_L2),
            "val_at_1.242": pairs.validation_rate(FACENET_THRESHOLD_SQ_L2),
        }

    def draw(self) -> Figure:
        """Draw VAL against FMR, from the FMR of one non-mated pair to 1.

        The axis of VAL begins a little below the lowest VAL in the picture.
        """
        curve, figure, one_pair = self.pairs.roc(), new_figure(), lowest_fmr(self.pairs)
        axes, lowest = add_roc_axes(figure), float(curve.val[curve.fmr < one_pair].max())
        axes.step(curve.fmr, curve.val, where="post")
        axes.set(xlim=(one_pair, 1), ylim=(lowest - 0.02, 1.005))
        axes.set_title(f"LFW: {self.cross_validation.accuracy.as_percent}", fontsize=9)
        return figure


def lowest_fmr(pairs: LabelledPairs) -> float:
    """Return the FMR of one non-mated pair, below which the only FMR is 0. Pictures begin there."""
    return 1 / max(pairs.non_mated_pairs, 2)


def evaluate_lfw(
    options: PipelineOptions,
    images: Path,
    pair_list: PairList,
    done: Callable[[], object],
    embed: EmbedFiles = embed_files,
) -> LfwReport:
    """Embed every photograph of the list once, and compare the pairs.

    images: the folder that holds NAME/NAME_0001.jpg, ...
    done: called after each photograph.
    Raises DatasetError if a photograph is missing or has no face, because no pair is ever skipped. Raises DatasetError
    for a list of one fold.
    """
    require_folds(pair_list)
    return LfwReport(pair_list, pair_list.compare(embed_photographs(options, images, pair_list, done, embed)))


def embed_photographs(
    options: PipelineOptions,
    images: Path,
    pair_list: PairList,
    done: Callable[[], object],
    embed: EmbedFiles = embed_files,
) -> Embeddings:
    """Return the embeddings of the photographs, (n, d) float32, row by row of `pair_list.images`.

    Raises DatasetError if a photograph is missing or has no face.
    """
    files = find_photographs(images, pair_list)
    embeddings, rows = embed(options, files, done)
    require_faces(files, rows, NO_FACE_REMEDY)
    return embeddings


def require_folds(pair_list: PairList) -> None:
    """Raise DatasetError for a list of one fold. Cross-validation needs other folds to choose the threshold."""
    if len(np.unique(pair_list.folds)) < 2:
        raise DatasetError(
            "The list has one fold. The threshold of a fold is chosen on the other folds, so there must be two or "
            "more. Give LFW's pairs.txt, which has ten."
        )


def find_photographs(images: Path, pair_list: PairList) -> list[Path]:
    """Return the files of `pair_list.images`. Raises DatasetError if one is missing."""
    files = [images / image for image in pair_list.images]
    missing = [file for file in files if not file.is_file()]
    if missing:
        raise DatasetError(
            f"{len(missing)} of {len(files)} photographs are missing. The first is {missing[0]}. Give --images the "
            "folder that holds NAME/NAME_0001.jpg."
        )
    return files


def require_faces(files: Sequence[Path], rows: Sequence[int], remedy: str) -> None:
    """Raise DatasetError if a file has no face.

    rows: the rows of the files that have a face.
    remedy: what the user can do then, such as `NO_FACE_REMEDY`.
    """
    if len(rows) < len(files):
        faceless = sorted(set(range(len(files))) - set(rows))
        first = files[faceless[0]]
        raise DatasetError(f"No face was found in {len(faceless)} photographs. The first is {first}. {remedy}")


def write_lfw_report(report: LfwReport, folder: Path, settings: dict[str, str]) -> None:
    """Write lfw.json (numbers and curve), lfw.npz (the distance of every pair) and lfw.png (the curve).

    The contents of all three files are made before the first file is written.

    settings: what was measured and how. It goes into the JSON.
    """
    text, distances, figure = _to_json(report, settings), _to_npz(report), report.draw()
    add_title(figure, {"models": (settings.get("embedder", "LFW"),)})
    picture = to_png(figure)
    write_atomically(folder / "lfw.json", text)
    write_atomically(folder / "lfw.npz", distances)
    write_atomically(folder / "lfw.png", picture)


def _to_json(report: LfwReport, settings: dict[str, str]) -> bytes:
    curve = report.pairs.roc()
    finite = np.isfinite(curve.thresholds)  # the last threshold is infinite, and JSON has no infinite numbers
    content = {
        "settings": settings,
        "figures": report.numbers(),
        "roc": {
            "threshold_sq_l2": curve.thresholds[finite].tolist(),
            "fmr": curve.fmr[finite].tolist(),
            "val": curve.val[finite].tolist(),
        },
    }
    return json.dumps(content, indent=1).encode()


def _to_npz(report: LfwReport) -> bytes:
    pair_list, file = report.pair_list, io.BytesIO()
    images = np.array([image.as_posix() for image in pair_list.images])
    np.savez_compressed(
        file,
        distances=report.pairs.distances,
        same=pair_list.same,
        folds=pair_list.folds,
        left=images[pair_list.left],
        right=images[pair_list.right],
    )
    return file.getvalue()
