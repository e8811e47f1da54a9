from pathlib import Path

import numpy as np
import pytest

from models.evaluation.photographs.close_ups import (
    SIDES_PX,
    CloseUp,
    CloseUps,
    evaluate_close_ups,
    fill_frame,
    make_composite,
)
from models.evaluation.photographs.composites import KnownFace, find_known_faces
from models.evaluation.reports.report import to_png
from models.evaluation.reports.thumbnails import THUMBNAIL_PX
from service.domain.face import Box
from service.pipeline.opening import PipelineOptions


def _face() -> KnownFace:
    """Return a face whose box is red, in a picture that is blue elsewhere."""
    pixels = np.full((250, 250, 3), (0, 0, 255), np.uint8)
    pixels[60:190, 80:170] = (255, 0, 0)
    return KnownFace(pixels, Box(80, 60, 90, 130))


def _close_up(side_px: int, *, large: bool, small: bool) -> CloseUp:
    return CloseUp(side_px, large, small, np.zeros((THUMBNAIL_PX, THUMBNAIL_PX, 3), np.uint8))


def test_the_report_has_a_row_for_each_side_and_lists_what_is_missed() -> None:
    report = CloseUps((_close_up(640, large=True, small=True), _close_up(480, large=True, small=False)))

    assert report.rows()[1:] == [
        ("480 px", "1", "1", "0", "0"),
        ("640 px", "1", "1", "1", "1"),
        ("all", "2", "2", "1", "1"),
    ]
    assert report.numbers()["missed"] == [{"number": 1, "side_px": 480, "large": False, "small": True}]
    assert to_png(report.draw()).startswith(b"\x89PNG")


@pytest.mark.parametrize("filled", [0.9, 1.1])
def test_a_face_fills_the_frame_at_its_box(filled: float) -> None:
    frame = fill_frame(_face(), 500, filled)

    assert frame.box.height == pytest.approx(500 * filled)
    assert frame.box.centre == pytest.approx((249.5, 249.5))
    left, right = round(frame.box.x), round(frame.box.x + frame.box.width)
    assert frame.pixels[250, left + 8 : right - 8].min(axis=0).tolist() == [255, 0, 0]
    assert frame.pixels[250, left - 8].tolist() == frame.pixels[250, right + 8].tolist() == [0, 0, 255]


@pytest.mark.parametrize("number", range(10))
def test_the_small_face_is_60_to_90_px_wide_and_in_a_corner(number: int) -> None:
    composite = make_composite(_face(), _face(), number)

    side_px, small = SIDES_PX[number % len(SIDES_PX)], composite.boxes[1]
    assert composite.pixels.shape == (side_px, side_px, 3)
    assert 60 <= small.width <= 90
    for centre in small.centre:
        assert min(centre, side_px - centre) < 150


def test_both_faces_of_real_photographs_are_found(options: PipelineOptions, images: Path) -> None:
    done: list[None] = []
    faces = find_known_faces(options, images, 2, lambda: None)

    measured = evaluate_close_ups(options, faces, lambda: done.append(None))

    assert len(done) == len(measured.close_ups) == 1
    assert measured.close_ups[0].both_found
