"""YouTube Faces (Wolf, Hassner and Maoz, 2011), as FaceNet measures it (section 5.7).

    FOLDER/splits.txt                                                split number, first name, second name, is same
    FOLDER/aligned_images_DB/PERSON/VIDEO/aligned_detect_VIDEO.FRAME.jpg

A name is PERSON/VIDEO. A video is a track of frames. From each track the first frames with a detected face are used:
100 frames (accuracy 95.12 % in the paper) or 1,000 frames (95.18 %). The distance of two tracks is the mean over all
pairs of these frames. There are ten splits of 250 mated pairs and 250 non-mated pairs. Each split is decided at the
threshold that is best for the other splits.
"""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.errors import DatasetError
from models.evaluation.data.pairs import PairList
from models.evaluation.embedding.crops import chunks, cut_main_faces, embed_crops
from models.evaluation.metrics.labelled_pairs import CrossValidation, LabelledPairs, cross_validate
from models.evaluation.reports.report import Row, add_roc_axes, new_figure
from service.domain.distances import MAX_SQ_L2
from service.pipeline.embedders.base import Embedder
from service.pipeline.extraction import FaceExtractor
from service.pipeline.opening import PipelineOptions, open_embedder, open_face_extractor

FRAMES_FOLDER = "aligned_images_DB"
SPLITS_FILE = "splits.txt"

TrackMeans = NDArray[np.float64]
"""(n, d) float64: the mean of the embeddings of each track's frames. It is not of unit length."""


@dataclass(frozen=True, slots=True, eq=False)
class YouTubeFaces:
    """The result on YouTube Faces.

    pair_list: the pairs of tracks.
    pairs: their distances, mean squared L2.
    frames: how many frames of a track were embedded at most.
    """

    pair_list: PairList
    pairs: LabelledPairs
    frames: int

    @property
    def cross_validation(self) -> CrossValidation:
        return cross_validate(self.pairs, self.pair_list.folds)

    def rows(self) -> list[Row]:
        """Return the rows of the table. The first row is the header."""
        splits = self.cross_validation
        return [
            ("YouTube Faces", "measured"),
            ("pairs of tracks", f"{self.pairs.same.size}"),
            ("frames of a track, at most", f"{self.frames}"),
            ("accuracy", splits.accuracy.as_percent),
            ("thresholds", f"{splits.thresholds.min():.3f} to {splits.thresholds.max():.3f}"),
        ]

    def numbers(self) -> dict[str, object]:
        """Return the measured numbers by name."""
        splits = self.cross_validation
        return {
            "frames": self.frames,
            "accuracy": splits.accuracy.value,
            "standard_error": splits.accuracy.standard_error,
            "accuracies": splits.accuracies.tolist(),
            "thresholds_sq_l2": splits.thresholds.tolist(),
        }

    def draw(self) -> Figure:
        """Draw VAL against FMR."""
        figure = new_figure()
        axes = add_roc_axes(figure)
        curve = self.pairs.roc()
        axes.step(curve.fmr, curve.val, where="post")
        axes.set_ylim(None, 1.001)
        axes.set_title(f"YouTube Faces: {self.cross_validation.accuracy.as_percent}", fontsize=9)
        return figure


def read_splits(folder: Path) -> PairList:
    """Read the list of pairs. Its images are tracks, PERSON/VIDEO.

    Raises DatasetError if the list is missing or has another format.
    """
    path = folder / SPLITS_FILE
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = [fields for fields in csv.reader(file, skipinitialspace=True) if fields]
        lines = lines[not lines[0][0].isdecimal() :]  # the first line may be a header
        ends = [(_parse_track(fields[1]), _parse_track(fields[2])) for fields in lines]
        folds, same = np.array([[int(fields[0]), int(fields[3])] for fields in lines], np.int64).T
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror}). Give the folder of YouTube Faces.") from None
    except (csv.Error, ValueError, IndexError):
        raise DatasetError(
            f"{path} is not a list of pairs as YouTube Faces has it. Each line must be SPLIT, PERSON/VIDEO, "
            "PERSON/VIDEO, SAME. An example is 1, Anna/0, Boris/2, 0."
        ) from None
    return PairList.from_ends(ends, same == 1, folds)


def _parse_track(name: str) -> Path:
    person, video = name.strip().split("/")
    return Path(person) / video


def read_frames(folder: Path, track: Path) -> list[Path]:
    """Return the frames of a track in the order of their numbers.

    Raises DatasetError if the track has no frames, or if the name of a file has no frame number.
    """
    files = list((folder / FRAMES_FOLDER / track).glob("*.jpg"))
    if not files:
        raise DatasetError(
            f"{folder / FRAMES_FOLDER / track} holds no frames. It should hold aligned_detect_{track.name}.FRAME.jpg. "
            f"Add the frames, or remove the pairs of this track from {SPLITS_FILE}."
        )
    return sorted(files, key=_frame_number)


def _frame_number(frame: Path) -> int:
    video, _, number = frame.stem.rpartition(".")
    if not (video and number.isdecimal()):
        raise DatasetError(
            f"The name of {frame} must be aligned_detect_VIDEO.FRAME.jpg, where FRAME is a number. Remove this file."
        )
    return int(number)


def evaluate_ytf(
    options: PipelineOptions, folder: Path, frames: int, pair_list: PairList, done: Callable[[], object]
) -> YouTubeFaces:
    """Embed the first faces of each track of the list, and compare the tracks.

    folder: the data set.
    frames: how many frames of a track are embedded at most.
    done: called after each track.
    Raises DatasetError if a track is missing or has no face, if a frame cannot be read, and for a list of one split.
    """
    if len(np.unique(pair_list.folds)) < 2:
        raise DatasetError(
            "The list has one split. The threshold of a split is chosen on the other splits, so there must be two or "
            "more. Give the published list, which has ten."
        )
    tracks = [read_frames(folder, track) for track in pair_list.images]
    embedder = open_embedder(options)
    extractor = open_face_extractor(options, embedder.card)
    means = []
    for files in tracks:
        means.append(_mean_embedding(extractor, embedder, files, frames, options.threads))
        done()
    return YouTubeFaces(pair_list, compare_tracks(np.stack(means), pair_list), frames)


def _mean_embedding(
    extractor: FaceExtractor, embedder: Embedder, files: Sequence[Path], frames: int, threads: int
) -> NDArray[np.float64]:
    """Return the mean embedding, (d,) float64, of the first `frames` files with a face."""
    embeddings = np.empty((0, embedder.card.dimension), np.float32)
    for chunk in chunks(files):
        crops, _ = cut_main_faces(extractor, chunk, threads)
        missing = frames - len(embeddings)
        embeddings = np.concatenate([embeddings, embed_crops(embedder, crops[:missing], threads)])
        if len(embeddings) == frames:
            break
    if not len(embeddings):
        raise DatasetError(
            f"No face was found in any of the {len(files)} frames of {files[0].parent}. Remove the pairs of this track "
            f"from {SPLITS_FILE}."
        )
    return np.asarray(embeddings.mean(axis=0, dtype=np.float64))


def compare_tracks(means: TrackMeans, pair_list: PairList) -> LabelledPairs:
    """Return the distance of each pair of tracks: the mean squared L2 distance over all pairs of their frames.

    means: (n, d) float64, row by row of `pair_list.images`.
    """
    # Embeddings of frames have unit length, so |a - b|^2 = 2 - 2 a.b. The mean of a.b over all pairs of frames equals
    # the dot product of the two means. So the distances of single pairs of frames are not computed.
    dot_products = np.einsum("nd,nd->n", means[pair_list.left], means[pair_list.right])
    return pair_list.label(np.clip(2.0 - 2.0 * dot_products, 0.0, MAX_SQ_L2).astype(np.float32))
