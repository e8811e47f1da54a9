"""A contact sheet: a picture of faces in rows. Each face has a caption below it. Sections have titles."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.evaluation.embedding.crops import cut_main_faces
from models.evaluation.reports.report import DPI
from service.domain.face import Crops
from service.domain.image import Pixels
from service.model_files.card import FivePointAlignment
from service.pipeline.alignment import Aligner
from service.pipeline.opening import PipelineOptions, open_embedder, open_face_extractor

TILE_ALIGNER = Aligner(FivePointAlignment(view=(-14, -14, 126, 126), height=112, width=112))
"""Cuts the faces of a sheet. It is the same for every model: the 112-px template with a border around it."""

GAP_PX = 8
CAPTION_LINE_PX = 11
TITLE_PX = 36
CAPTION_PT = 5.5


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """A picture with a caption.

    pixels: (h, w, 3) uint8. All tiles of a sheet have the same size.
    caption: lines of text.
    """

    pixels: Pixels
    caption: str


@dataclass(frozen=True, slots=True)
class Section:
    """Tiles below a title. Without tiles only the title is drawn."""

    title: str
    tiles: tuple[Tile, ...]


def cut_tiles(options: PipelineOptions, files: Sequence[Path]) -> Crops:
    """Return the main face of each file for a sheet, (n, 112, 112, 3) uint8. Every file must have a face."""
    extractor = replace(open_face_extractor(options, open_embedder(options).card), aligner=TILE_ALIGNER)
    crops, _ = cut_main_faces(extractor, files, options.threads)
    return crops


def join_crops(crops: Crops) -> Pixels:
    """Return the crops (n, h, w, 3) side by side, (h, n * w, 3)."""
    return np.concatenate(list(crops), axis=1)


def draw_sheet(sections: Sequence[Section], columns: int, tile_px: tuple[int, int]) -> Figure:
    """Draw the sheet.

    columns: how many tiles a row has.
    tile_px: height and width of the tiles.
    """
    cell_px = _cell_size(sections, tile_px)
    heights = [TITLE_PX + cell_px[0] * -(-len(section.tiles) // columns) for section in sections]
    width, height = columns * cell_px[1] + GAP_PX, sum(heights)
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    # One unit of the axes is one pixel. y grows from top to bottom.
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    pixels = np.full((height, width, 3), 255, np.uint8)
    for section, top in zip(sections, np.cumsum([0, *heights]).tolist(), strict=False):
        axes.text(GAP_PX, top + TITLE_PX / 2, section.title, fontsize=8, va="center")
        for tile, corner in zip(section.tiles, _corners(top + TITLE_PX, columns, cell_px), strict=False):
            _draw_tile(pixels, axes, tile, corner)
    axes.imshow(pixels, extent=(0, width, height, 0), interpolation="none", aspect="auto")
    return figure


def _cell_size(sections: Sequence[Section], tile_px: tuple[int, int]) -> tuple[int, int]:
    """Return the height and width of a tile together with the longest caption and the gaps."""
    lines = max((tile.caption.count("\n") + 1 for section in sections for tile in section.tiles), default=0)
    return tile_px[0] + lines * CAPTION_LINE_PX + GAP_PX, tile_px[1] + GAP_PX


def _corners(top: int, columns: int, cell_px: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Yield the top and left of each tile of a section, row by row. It never ends. top: of the first row."""
    for row in count():
        for column in range(columns):
            yield top + row * cell_px[0], GAP_PX + column * cell_px[1]


def _draw_tile(pixels: Pixels, axes: Axes, tile: Tile, corner: tuple[int, int]) -> None:
    """Copy the picture into `pixels`, and write its caption. corner: top and left."""
    (top, left), (height, width) = corner, tile.pixels.shape[:2]
    pixels[top : top + height, left : left + width] = tile.pixels
    axes.text(left, top + height + 3, tile.caption, fontsize=CAPTION_PT, va="top", linespacing=1.1)
