"""A byte for each coordinate (FaceNet, section 5.4: 128 bytes a face without loss), against float32.

Only the direction of an embedding matters, so each is stretched until its greatest coordinate is 127 and rounded; its
length comes back as 1. So d coordinates take d bytes, and no scale is kept beside them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.evaluation import lfw, metrics
from models.evaluation.metrics import FAR, CrossValidation, Distances
from models.evaluation.pairs import Pairs
from models.evaluation.report import Row, canvas
from service.distances import unit
from service.domain import Embeddings
from service.pipeline import PipelineOptions

Bytes = NDArray[np.int8]
"""(n, d) int8, in [-127, 127]."""

GREATEST = 127


def to_bytes(embeddings: Embeddings) -> Bytes:
    """embeddings: (n, d) float32, none of them zero. Returns (n, d) int8."""
    greatest = np.abs(embeddings).max(axis=1, keepdims=True)
    return np.asarray(np.rint(embeddings / greatest * GREATEST), np.int8)


def from_bytes(codes: Bytes) -> Embeddings:
    """(n, d) float32 of unit length."""
    return unit(codes.astype(np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class ByteEmbeddings:
    """The pairs' distances in float32 and in bytes, (n,) float32 each. dimension: numbers, and so bytes, of a face."""

    pairs: Pairs
    dimension: int
    exact: Distances
    rounded: Distances

    @property
    def greatest_change(self) -> float:
        """Of a pair's squared L2 distance, either way."""
        return float(np.abs(self.rounded - self.exact).max())

    def rows(self) -> list[Row]:
        """What the table shows; the first names the columns."""
        exact, rounded = self._folds(self.exact), self._folds(self.rounded)
        return [
            ("LFW, View 2", "float32", "bytes"),
            ("bytes a face", f"{4 * self.dimension}", f"{self.dimension}"),
            ("accuracy", *(f"{100 * one.mean:.2f} ± {100 * one.standard_error:.2f} %" for one in (exact, rounded))),
            (f"VAL at FMR {FAR:g}", *(f"{100 * self._val(one):.2f} %" for one in (self.exact, self.rounded))),
            ("greatest change of a distance", "", f"{self.greatest_change:.4f}"),
        ]

    def figures(self) -> dict[str, object]:
        """Both ways side by side."""
        ways = {"float32": self.exact, "bytes": self.rounded}
        return {
            "dimension": self.dimension,
            "greatest_change_sq_l2": self.greatest_change,
            "accuracy": {name: self._folds(one).mean for name, one in ways.items()},
            "standard_error": {name: self._folds(one).standard_error for name, one in ways.items()},
            "val_at_far_1e-3": {name: self._val(one) for name, one in ways.items()},
        }

    def draw(self) -> Figure:
        """How much each distance changes."""
        figure = canvas()
        axes = figure.subplots()
        change = self.rounded - self.exact
        for kind, label in ((self.pairs.same, "one person"), (~self.pairs.same, "two people")):
            axes.plot(self.exact[kind], change[kind], ".", markersize=2, label=label)
        axes.set(xlabel="squared L2 distance in float32", ylabel="change with a byte a coordinate")
        axes.set_title(f"{4 * self.dimension} bytes a face to {self.dimension}", fontsize=9)
        axes.grid(visible=True, alpha=0.3)
        axes.legend(markerscale=4, loc="upper left")
        return figure

    def _folds(self, distances: Distances) -> CrossValidation:
        return metrics.cross_validate(distances, self.pairs.same, self.pairs.folds)

    def _val(self, distances: Distances) -> float:
        return metrics.val_at(distances, self.pairs.same, FAR)


def evaluate(options: PipelineOptions, images: Path, pairs: Pairs, done: Callable[[], object]) -> ByteEmbeddings:
    """Embeds every photograph of the list once. `done` is called after each. Raises DatasetError as `lfw.evaluate`."""
    lfw.require_folds(pairs)
    return compare(lfw.embeddings(options, images, pairs, done), pairs)


def compare(embeddings: Embeddings, pairs: Pairs) -> ByteEmbeddings:
    """embeddings: (n, d), row by row of `pairs.images`."""
    rounded = from_bytes(to_bytes(embeddings))
    return ByteEmbeddings(
        pairs, embeddings.shape[1], lfw.pair_distances(embeddings, pairs), lfw.pair_distances(rounded, pairs)
    )
