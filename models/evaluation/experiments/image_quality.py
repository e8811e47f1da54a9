"""Sensitivity to image quality (FaceNet, section 5.3, Table 4): VAL against JPEG quality and number of pixels.

It is measured on the pairs of LFW's View 2. The photographs are detected and aligned without a change. Then the crops
are degraded. So only the embedder is measured, not the detector.

JPEG: Pillow compresses the crop at the size of the network's input, with halved chroma. Number of pixels: the crop is
shrunk to this number, and then enlarged to its old size, as the paper's thumbnails are. A crop is never larger than the
network's input. So a number of pixels that is not below the input's changes nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from models.evaluation.data.pairs import PairList
from models.evaluation.embedding.crops import chunks, cut_main_faces, embed_crops
from models.evaluation.embedding.degradations import Degradation, Jpeg, Unchanged, degrade, shrink_to
from models.evaluation.experiments import lfw
from models.evaluation.metrics.labelled_pairs import REPORTED_FMR, LabelledPairs
from models.evaluation.reports.report import Row, new_figure
from service.domain.embedding import Embeddings
from service.model_files.card import BoxAlignment, FivePointAlignment
from service.pipeline.opening import PipelineOptions, open_embedder, open_face_extractor

JPEG_QUALITIES = (10, 20, 30, 50, 70, 90)
SIZES_PX = (1_600, 6_400, 14_400, 25_600, 65_536)


@dataclass(frozen=True, slots=True)
class Condition:
    """The quality of the crops in a row of the table.

    kind: "none", "jpeg" or "pixels".
    value: the JPEG quality, or the number of pixels.
    """

    kind: str
    value: int
    degradation: Degradation

    @property
    def unchanged(self) -> bool:
        return self.degradation == Unchanged()

    @property
    def label(self) -> str:
        """The name in the table."""
        if self.kind == "jpeg":
            return f"JPEG quality {self.value}"
        return f"{self.value:,} pixels{', as it is' if self.unchanged else ''}"


def list_conditions(alignment: FivePointAlignment | BoxAlignment) -> list[Condition]:
    """Return the unchanged crop, then the paper's conditions. alignment: of the crop."""
    return [
        Condition("none", alignment.height * alignment.width, Unchanged()),
        *(Condition("jpeg", quality, Jpeg(quality)) for quality in JPEG_QUALITIES),
        *(Condition("pixels", pixels, shrink_to(pixels, alignment)) for pixels in SIZES_PX),
    ]


@dataclass(frozen=True, slots=True, eq=False)
class ImageQuality:
    """The pairs under each condition, row by row. The first condition is the unchanged crop."""

    conditions: tuple[Condition, ...]
    pairs: tuple[LabelledPairs, ...]

    @property
    def vals(self) -> list[float]:
        """VAL at FMR 1e-3 under each condition. Each condition has its own threshold."""
        return [pairs.val_at_fmr() for pairs in self.pairs]

    def rows(self) -> list[Row]:
        """Return the rows of the table. The first row is the header."""
        measured = zip(self.conditions, self.vals, strict=True)
        return [
            ("crops", f"VAL at FMR {REPORTED_FMR:g}"),
            *((condition.label, f"{100 * val:.2f} %") for condition, val in measured),
        ]

    def numbers(self) -> dict[str, object]:
        """Return VAL by kind and value."""
        return {
            "val_at_fmr_1e-3": [
                {"kind": condition.kind, "value": condition.value, "unchanged": condition.unchanged, "val": val}
                for condition, val in zip(self.conditions, self.vals, strict=True)
            ]
        }

    def draw(self) -> Figure:
        """Draw VAL against the JPEG quality and against the number of pixels, each with VAL of the unchanged crops."""
        figure = new_figure(9, 4)
        left, right = figure.subplots(1, 2, sharey=True)
        self._draw_kind(left, "jpeg", "JPEG quality")
        self._draw_kind(right, "pixels", "pixels of the crop")
        right.set_xscale("log")
        right.set_xticks(SIZES_PX, [f"{pixels:,}" for pixels in SIZES_PX])
        right.xaxis.set_minor_locator(NullLocator())
        left.set_ylabel(f"VAL at FMR {REPORTED_FMR:g} (%)")
        return figure

    def _draw_kind(self, axes: Axes, kind: str, label: str) -> None:
        percents = [100 * val for val in self.vals]
        measured = zip(self.conditions, percents, strict=True)
        points = [(condition.value, percent) for condition, percent in measured if condition.kind == kind]
        axes.plot([value for value, _ in points], [percent for _, percent in points], marker="o")
        axes.axhline(percents[0], color="black", linewidth=1, linestyle="--", label="as it is")
        axes.set_xlabel(label)
        axes.grid(visible=True, alpha=0.3)
        axes.legend(loc="lower right")


def evaluate_image_quality(
    options: PipelineOptions, images: Path, pair_list: PairList, done: Callable[[], object]
) -> ImageQuality:
    """Cut a crop out of every photograph of the list, and embed it under each condition.

    images: the folder that holds NAME/NAME_0001.jpg, ...
    done: called after each photograph.
    Raises DatasetError if a photograph is missing or has no face.
    """
    files = lfw.find_photographs(images, pair_list)
    embedder = open_embedder(options)
    extractor = open_face_extractor(options, embedder.card)
    conditions = list_conditions(embedder.card.alignment)
    # Several conditions can have the same degradation, such as two sizes above the crop's. They are embedded once.
    embeddings: dict[Degradation, list[Embeddings]] = {condition.degradation: [] for condition in conditions}
    for chunk in chunks(files):
        crops, rows = cut_main_faces(extractor, chunk, options.threads)
        lfw.require_faces(chunk, rows, lfw.NO_FACE_REMEDY)
        for degradation, parts in embeddings.items():
            parts.append(embed_crops(embedder, degrade(crops, degradation), options.threads))
        for _ in chunk:
            done()
    pairs = {degradation: pair_list.compare(np.concatenate(parts)) for degradation, parts in embeddings.items()}
    return ImageQuality(tuple(conditions), tuple(pairs[condition.degradation] for condition in conditions))
