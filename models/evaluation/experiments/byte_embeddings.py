"""One byte for each coordinate of an embedding, compared with float32.

FaceNet, section 5.4, reports that 128 bytes a face are enough without loss of accuracy.

Only the direction of an embedding matters. So each embedding is scaled until its greatest coordinate is 127, and then
rounded. When it is read, it is scaled to length 1 again. So d coordinates take d bytes, and no scale is stored.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.evaluation.data.pairs import PairList
from models.evaluation.experiments import lfw
from models.evaluation.metrics.labelled_pairs import REPORTED_FMR, LabelledPairs, MeanWithError, cross_validate
from models.evaluation.reports.report import Row, new_figure
from service.domain.distances import unit
from service.domain.embedding import Embeddings
from service.pipeline.opening import PipelineOptions

Bytes = NDArray[np.int8]
"""(n, d) int8, in [-127, 127]."""

MAX_BYTE = 127


def to_bytes(embeddings: Embeddings) -> Bytes:
    """Return the embeddings as bytes, (n, d) int8. embeddings: (n, d) float32, none of them zero."""
    greatest = np.abs(embeddings).max(axis=1, keepdims=True)
    return np.asarray(np.rint(embeddings / greatest * MAX_BYTE), np.int8)


def from_bytes(codes: Bytes) -> Embeddings:
    """Return the embeddings, (n, d) float32 of unit length."""
    return unit(codes.astype(np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class ByteEmbeddings:
    """The same pairs, compared in float32 and in bytes.

    dimension: how many coordinates an embedding has. It is also the number of bytes.
    exact: the distances in float32.
    rounded: the distances in bytes.
    """

    pair_list: PairList
    dimension: int
    exact: LabelledPairs
    rounded: LabelledPairs

    @property
    def changes(self) -> NDArray[np.float32]:
        """The squared L2 distance in bytes minus the distance in float32, for each pair. (n,) float32."""
        return self.rounded.distances - self.exact.distances

    @property
    def greatest_change(self) -> float:
        """The greatest absolute change of a distance."""
        return float(np.abs(self.changes).max())

    def rows(self) -> list[Row]:
        """Return the rows of the table. The first row is the header."""
        formats = (self.exact, self.rounded)
        return [
            ("LFW, View 2", "float32", "bytes"),
            ("bytes a face", f"{4 * self.dimension}", f"{self.dimension}"),
            ("accuracy", *(self._accuracy(pairs).as_percent for pairs in formats)),
            (f"VAL at FMR {REPORTED_FMR:g}", *(pairs.val_text() for pairs in formats)),
            ("greatest change of a distance", "", f"{self.greatest_change:.4f}"),
        ]

    def numbers(self) -> dict[str, object]:
        """Return the measured numbers by name, for each of the two formats."""
        formats = {"float32": self.exact, "bytes": self.rounded}
        accuracies = {name: self._accuracy(pairs) for name, pairs in formats.items()}
        return {
            "dimension": self.dimension,
            "greatest_change_sq_l2": self.greatest_change,
            "accuracy": {name: accuracy.value for name, accuracy in accuracies.items()},
            "standard_error": {name: accuracy.standard_error for name, accuracy in accuracies.items()},
            "val_at_fmr_1e-3": {name: pairs.val_at_fmr() for name, pairs in formats.items()},
        }

    def draw(self) -> Figure:
        """Draw the change of each distance."""
        figure = new_figure()
        axes = figure.subplots()
        same = self.exact.same
        for rows, label in ((same, "one person"), (~same, "two people")):
            axes.plot(self.exact.distances[rows], self.changes[rows], ".", markersize=2, label=label)
        axes.set(xlabel="squared L2 distance in float32", ylabel="change with a byte a coordinate")
        axes.set_title(f"{4 * self.dimension} bytes a face to {self.dimension}", fontsize=9)
        axes.grid(visible=True, alpha=0.3)
        axes.legend(markerscale=4, loc="upper left")
        return figure

    def _accuracy(self, pairs: LabelledPairs) -> MeanWithError:
        return cross_validate(pairs, self.pair_list.folds).accuracy


def evaluate_byte_embeddings(
    options: PipelineOptions, images: Path, pair_list: PairList, done: Callable[[], object]
) -> ByteEmbeddings:
    """Embed every photograph of the list once, and compare the pairs in float32 and in bytes.

    images, done: as for `lfw.evaluate_lfw`.
    Raises DatasetError as `lfw.evaluate_lfw` does.
    """
    lfw.require_folds(pair_list)
    return compare_formats(lfw.embed_photographs(options, images, pair_list, done), pair_list)


def compare_formats(embeddings: Embeddings, pair_list: PairList) -> ByteEmbeddings:
    """Compare the pairs in float32 and in bytes. embeddings: (n, d) float32, row by row of `pair_list.images`."""
    return ByteEmbeddings(
        pair_list,
        dimension=embeddings.shape[1],
        exact=pair_list.compare(embeddings),
        rounded=pair_list.compare(from_bytes(to_bytes(embeddings))),
    )
