"""Sensitivity to image quality (FaceNet, section 5.3, Table 4): JPEG quality and number of pixels against VAL.

On the pairs of LFW's View 2. Each photograph is detected and aligned as it is, and then its crop is degraded, so that
only the embedder is measured: whether a detector finds a face of 40 x 40 pixels is another question. JPEG is Pillow's,
with halved chroma, at the size of the network's own input. For a number of pixels the crop is shrunk to so many and
brought back, as the paper's thumbnails are; no crop is made larger than it was, so numbers beyond the network's input
leave it as it is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from models.evaluation import lfw, metrics
from models.evaluation.crops import chunks, cut, embed
from models.evaluation.degradations import AsItIs, Degradation, Jpeg, degraded, shrunk
from models.evaluation.metrics import FAR, Distances, Same
from models.evaluation.pairs import Pairs
from models.evaluation.report import Row, canvas
from service.card import BoxCrop, FivePoint
from service.domain import Embeddings
from service.pipeline import PipelineOptions, open_embedder, open_sight

QUALITIES = (10, 20, 30, 50, 70, 90)
SIZES_PX = (1_600, 6_400, 14_400, 25_600, 65_536)


@dataclass(frozen=True, slots=True)
class Condition:
    """A row of the table. kind: "none", "jpeg" or "pixels"; value: the quality, or the number of pixels."""

    kind: str
    value: int
    degradation: Degradation

    @property
    def unchanged(self) -> bool:
        """Whether the crop is as it was."""
        return self.degradation == AsItIs()

    @property
    def words(self) -> str:
        """Its name in a table."""
        if self.kind == "jpeg":
            return f"JPEG quality {self.value}"
        return f"{self.value:,} pixels{', as it is' if self.unchanged else ''}"


def conditions(alignment: FivePoint | BoxCrop) -> list[Condition]:
    """The paper's, behind the crop as it is."""
    return [
        Condition("none", alignment.height * alignment.width, AsItIs()),
        *(Condition("jpeg", quality, Jpeg(quality)) for quality in QUALITIES),
        *(Condition("pixels", pixels, shrunk(pixels, alignment)) for pixels in SIZES_PX),
    ]


@dataclass(frozen=True, slots=True, eq=False)
class ImageQuality:
    """conditions, distances: row by row, the first as it is; each distances (n,) float32, of the pairs."""

    conditions: tuple[Condition, ...]
    distances: tuple[Distances, ...]
    same: Same

    @property
    def vals(self) -> list[float]:
        """VAL at FAR 1e-3 under each condition, at the threshold that holds it there."""
        return [metrics.val_at(one, self.same, FAR) for one in self.distances]

    def rows(self) -> list[Row]:
        """What the table shows; the first names the columns."""
        named = zip(self.conditions, self.vals, strict=True)
        return [("crops", f"VAL at FMR {FAR:g}"), *((one.words, f"{100 * val:.2f} %") for one, val in named)]

    def figures(self) -> dict[str, object]:
        """VAL by kind and value."""
        named = zip(self.conditions, self.vals, strict=True)
        return {
            "val_at_far_1e-3": [
                {"kind": one.kind, "value": one.value, "unchanged": one.unchanged, "val": val} for one, val in named
            ]
        }

    def draw(self) -> Figure:
        """VAL against each of the two, beside the crops as they are."""
        figure = canvas(9, 4)
        left, right = figure.subplots(1, 2, sharey=True)
        self._draw(left, "jpeg", "JPEG quality")
        self._draw(right, "pixels", "pixels of the crop")
        right.set_xscale("log")
        right.set_xticks(SIZES_PX, [f"{pixels:,}" for pixels in SIZES_PX])
        right.xaxis.set_minor_locator(NullLocator())
        left.set_ylabel(f"VAL at FMR {FAR:g} (%)")
        return figure

    def _draw(self, axes: Axes, kind: str, label: str) -> None:
        vals = [100 * val for val in self.vals]
        shown = [(one.value, val) for one, val in zip(self.conditions, vals, strict=True) if one.kind == kind]
        axes.plot([value for value, _ in shown], [val for _, val in shown], marker="o")
        axes.axhline(vals[0], color="black", linewidth=1, linestyle="--", label="as it is")
        axes.set_xlabel(label)
        axes.grid(visible=True, alpha=0.3)
        axes.legend(loc="lower right")


def evaluate(options: PipelineOptions, images: Path, pairs: Pairs, done: Callable[[], object]) -> ImageQuality:
    """Cuts every photograph of the list once and embeds its crop under each condition. `done` is called after each.

    Raises DatasetError for a photograph that is missing or in which no face is found.
    """
    files = lfw.photographs(images, pairs)
    embedder = open_embedder(options)
    sight = open_sight(options, embedder.card)
    table = conditions(embedder.card.alignment)
    found: dict[Degradation, list[Embeddings]] = {one.degradation: [] for one in table}
    for part in chunks(files):
        crops, rows = cut(sight, part, options.threads)
        lfw.require_faces(part, rows, lfw.NO_FACE)
        for degradation, parts in found.items():
            parts.append(embed(embedder, degraded(crops, degradation), options.threads))
        for _ in part:
            done()
    distances = {one: lfw.pair_distances(np.concatenate(parts), pairs) for one, parts in found.items()}
    return ImageQuality(tuple(table), tuple(distances[one.degradation] for one in table), pairs.same)
