"""A contact sheet: faces side by side, each with some lines beneath it, under titles."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.evaluation.crops import cut
from models.evaluation.report import DPI
from service.alignment import Aligner
from service.card import FivePoint
from service.domain import Crops, Pixels
from service.pipeline import PipelineOptions, open_embedder, open_sight

SHOWN = Aligner(FivePoint(view=(-14, -14, 126, 126), height=112, width=112))
"""How faces are cut for a sheet, whatever the model's own crop is: some room around the 112-px template."""

GAP_PX = 8
LINE_PX = 11
TITLE_PX = 36
CAPTION_PT = 5.5


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """pixels: (h, w, 3) uint8, of one size on a sheet. caption: lines."""

    pixels: Pixels
    caption: str


@dataclass(frozen=True, slots=True)
class Section:
    """Tiles under a title; none at all is said by the title alone."""

    title: str
    tiles: tuple[Tile, ...]


def look(options: PipelineOptions, files: Sequence[Path]) -> Crops:
    """The main face of each file as a sheet shows it, (n, 112, 112, 3) uint8. Every file has one."""
    sight = replace(open_sight(options, open_embedder(options).card), aligner=SHOWN)
    crops, _ = cut(sight, files, options.threads)
    return crops


def beside(crops: Crops) -> Pixels:
    """Crops (n, h, w, 3) as one tile's pixels, (h, n w, 3)."""
    return np.concatenate(list(crops), axis=1)


def draw(sections: Sequence[Section], columns: int, tile_px: tuple[int, int]) -> Figure:
    """The sheet. columns: tiles of a row. tile_px: height and width of each."""
    lines = max((tile.caption.count("\n") + 1 for one in sections for tile in one.tiles), default=0)
    cell = (tile_px[0] + lines * LINE_PX + GAP_PX, tile_px[1] + GAP_PX)
    heights = [TITLE_PX + cell[0] * -(-len(one.tiles) // columns) for one in sections]
    width, height = columns * cell[1] + GAP_PX, sum(heights)
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    paper = np.full((height, width, 3), 255, np.uint8)
    top = 0
    for section, needed in zip(sections, heights, strict=True):
        axes.text(GAP_PX, top + TITLE_PX / 2, section.title, fontsize=8, va="center")
        for place, tile in enumerate(section.tiles):
            row, column = divmod(place, columns)
            _lay(paper, axes, tile, (top + TITLE_PX + row * cell[0], GAP_PX + column * cell[1]))
        top += needed
    axes.imshow(paper, extent=(0, width, height, 0), interpolation="none", aspect="auto")
    return figure


def _lay(paper: Pixels, axes: Axes, tile: Tile, place: tuple[int, int]) -> None:
    """place: top and left."""
    (top, left), (height, width) = place, tile.pixels.shape[:2]
    paper[top : top + height, left : left + width] = tile.pixels
    axes.text(left, top + height + 3, tile.caption, fontsize=CAPTION_PT, va="top", linespacing=1.1)
