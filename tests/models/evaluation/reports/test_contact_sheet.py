import io
from pathlib import Path

import numpy as np
from PIL import Image

from models.evaluation.reports.contact_sheet import (
    CAPTION_LINE_PX,
    GAP_PX,
    TITLE_PX,
    Section,
    Tile,
    cut_tiles,
    draw_sheet,
    join_crops,
)
from models.evaluation.reports.report import to_png
from service.domain.image import Pixels
from service.pipeline.opening import PipelineOptions


def _colour(red: int) -> Pixels:
    return np.full((40, 60, 3), (red, 0, 255 - red), np.uint8)


def test_the_pixels_of_every_tile_are_unchanged_and_in_its_place() -> None:
    tiles = tuple(Tile(_colour(10 * number), f"{number}\n{number}") for number in range(5))

    sheet = np.asarray(Image.open(io.BytesIO(to_png(draw_sheet([Section("few", tiles)], 3, (40, 60))))).convert("RGB"))

    cell_px = 40 + 2 * CAPTION_LINE_PX + GAP_PX
    assert sheet.shape == (TITLE_PX + 2 * cell_px, 3 * (60 + GAP_PX) + GAP_PX, 3)
    for number, tile in enumerate(tiles):
        top, left = TITLE_PX + number // 3 * cell_px, GAP_PX + number % 3 * (60 + GAP_PX)
        np.testing.assert_array_equal(sheet[top : top + 40, left : left + 60], tile.pixels)


def test_sections_are_below_each_other_and_an_empty_section_is_only_a_title() -> None:
    sections = [Section("none", ()), Section("one", (Tile(_colour(200), "a"),))]

    sheet = np.asarray(Image.open(io.BytesIO(to_png(draw_sheet(sections, 4, (40, 60))))).convert("RGB"))

    top = 2 * TITLE_PX
    assert sheet.shape[0] == top + 40 + CAPTION_LINE_PX + GAP_PX
    np.testing.assert_array_equal(sheet[top : top + 40, GAP_PX : GAP_PX + 60], _colour(200))


def test_joined_crops_are_side_by_side() -> None:
    np.testing.assert_array_equal(
        join_crops(np.stack([_colour(0), _colour(9)])), np.concatenate([_colour(0), _colour(9)], axis=1)
    )


def test_faces_are_cut_with_room_around_them(options: PipelineOptions, photographs: Path) -> None:
    crops = cut_tiles(options, sorted((photographs / "obama").glob("*.jpg"))[:2])

    assert crops.shape == (2, 112, 112, 3)
    assert crops.dtype == np.uint8
