"""YouTube Faces (Wolf, Hassner and Maoz, 2011), as FaceNet measures it (section 5.7).

    FOLDER/splits.txt                                                split number, first name, second name, is same
    FOLDER/aligned_images_DB/PERSON/VIDEO/aligned_detect_VIDEO.FRAME.jpg

A name is PERSON/VIDEO. The similarity of two tracks is that of all pairs of their first frames in which a face is
detected, on average: 100 frames (95.12 % in the paper) or 1,000 (95.18 %). Ten splits of 250 pairs of one person and
250 of two people; each is decided at the threshold that is best for the others.
"""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.errors import DatasetError
from models.evaluation import metrics
from models.evaluation.crops import chunks, cut, embed
from models.evaluation.metrics import CrossValidation, Distances
from models.evaluation.pairs import Pairs
from models.evaluation.report import Row, canvas, roc_axes
from service.distances import MAX_SQ_L2
from service.embedders.base import Embedder
from service.pipeline import PipelineOptions, Sight, open_embedder, open_sight

FRAMES = "aligned_images_DB"
SPLITS = "splits.txt"

Means = NDArray[np.float64]
"""(n, d) float64: the mean of the embeddings of each track's frames, not of unit length."""


@dataclass(frozen=True, slots=True, eq=False)
class YouTubeFaces:
    """What was measured. distances: (n,) float32, mean squared L2, in the order of the list. frames: of a track."""

    pairs: Pairs
    distances: Distances
    frames: int

    @property
    def cross_validation(self) -> CrossValidation:
        """Accuracy by splits."""
        return metrics.cross_validate(self.distances, self.pairs.same, self.pairs.folds)

    def rows(self) -> list[Row]:
        """What the table shows; the first names the columns."""
        folds = self.cross_validation
        return [
            ("YouTube Faces", "measured"),
            ("pairs of tracks", f"{self.pairs.same.size}"),
            ("frames of a track, at most", f"{self.frames}"),
            ("accuracy", f"{100 * folds.mean:.2f} ± {100 * folds.standard_error:.2f} %"),
            ("thresholds", f"{folds.thresholds.min():.3f} to {folds.thresholds.max():.3f}"),
        ]

    def figures(self) -> dict[str, object]:
        """The numbers by name."""
        folds = self.cross_validation
        return {
            "frames": self.frames,
            "accuracy": folds.mean,
            "standard_error": folds.standard_error,
            "accuracies": folds.accuracies.tolist(),
            "thresholds_sq_l2": folds.thresholds.tolist(),
        }

    def draw(self) -> Figure:
        """VAL against FAR."""
        figure = canvas()
        axes = roc_axes(figure)
        curve, folds = metrics.roc(self.distances, self.pairs.same), self.cross_validation
        axes.step(curve.far, curve.val, where="post")
        axes.set_ylim(None, 1.001)
        axes.set_title(f"YouTube Faces: {100 * folds.mean:.2f} ± {100 * folds.standard_error:.2f} %", fontsize=9)
        return figure


def read_splits(folder: Path) -> Pairs:
    """The list; its images are tracks, PERSON/VIDEO. Raises DatasetError where it is missing or of another form."""
    path = folder / SPLITS
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = [fields for fields in csv.reader(file, skipinitialspace=True) if fields]
        lines = lines[not lines[0][0].isdecimal() :]  # the first names the columns
        ends = [(_track(fields[1]), _track(fields[2])) for fields in lines]
        folds, same = np.array([[int(fields[0]), int(fields[3])] for fields in lines], np.int64).T
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror}). Give the folder of YouTube Faces.") from None
    except (csv.Error, ValueError, IndexError):
        raise DatasetError(
            f"{path} is not a list of pairs as YouTube Faces has it. A line is SPLIT, PERSON/VIDEO, PERSON/VIDEO, "
            "SAME, such as 1, Anna/0, Boris/2, 0."
        ) from None
    return Pairs.of(ends, same == 1, folds)


def _track(name: str) -> Path:
    person, video = name.strip().split("/")
    return Path(person) / video


def read_frames(folder: Path, track: Path) -> list[Path]:
    """A track's files in the order in which they were filmed. Raises DatasetError where there are none, or others."""
    files = list((folder / FRAMES / track).glob("*.jpg"))
    if not files:
        raise DatasetError(
            f"{folder / FRAMES / track} holds no frames. It should hold aligned_detect_{track.name}.FRAME.jpg; without "
            f"it, remove its pairs from {SPLITS}."
        )
    return sorted(files, key=_number)


def _number(frame: Path) -> int:
    """When it was filmed. Raises DatasetError for a file of another name."""
    video, _, number = frame.stem.rpartition(".")
    if not (video and number.isdecimal()):
        raise DatasetError(f"{frame} is not named aligned_detect_VIDEO.FRAME.jpg, with a frame's number. Remove it.")
    return int(number)


def evaluate(
    options: PipelineOptions, folder: Path, frames: int, pairs: Pairs, done: Callable[[], object]
) -> YouTubeFaces:
    """Embeds at most `frames` faces of each track of the list. `done` is called after each track.

    Raises DatasetError for a track that is missing or in which no face is found, for a frame that cannot be read, and
    for a list of one split.
    """
    if len(np.unique(pairs.folds)) < 2:
        raise DatasetError("The list has one split, and its threshold comes from the others. The published has ten.")
    tracks = [read_frames(folder, track) for track in pairs.images]
    embedder = open_embedder(options)
    sight = open_sight(options, embedder.card)
    means = []
    for files in tracks:
        means.append(_mean(sight, embedder, files, frames, options.threads))
        done()
    return YouTubeFaces(pairs, mean_distances(np.stack(means), pairs), frames)


def _mean(sight: Sight, embedder: Embedder, files: Sequence[Path], frames: int, threads: int) -> NDArray[np.float64]:
    """Of the embeddings of the first `frames` files in which there is a face, (d,) float64."""
    found = np.empty((0, embedder.card.dimension), np.float32)
    for part in chunks(files):
        crops, _ = cut(sight, part, threads)
        found = np.concatenate([found, embed(embedder, crops[: frames - len(found)], threads)])
        if len(found) == frames:
            break
    if not len(found):
        raise DatasetError(
            f"No face was found in any of the {len(files)} frames of {files[0].parent}. Remove its pairs from {SPLITS}."
        )
    return np.asarray(found.mean(axis=0, dtype=np.float64))


def mean_distances(means: Means, pairs: Pairs) -> Distances:
    """Of each pair of tracks, (n,) float32: the mean squared L2 distance over all pairs of their frames.

    Frames have unit length, so it is 2 - 2 times the product of the two means: no pair of frames need be looked at.
    """
    products = np.einsum("nd,nd->n", means[pairs.left], means[pairs.right])
    distances: Distances = np.clip(2.0 - 2.0 * products, 0.0, MAX_SQ_L2).astype(np.float32)
    return distances
