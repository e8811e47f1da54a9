from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.errors import DatasetError
from models.evaluation.photographs.composites import KnownFace, Search, find_known_faces
from models.evaluation.photographs.recall import (
    FACES_IN_ONE,
    WIDTHS_PX,
    Condition,
    Recall,
    evaluate_recall,
    list_conditions,
    make_composite,
    read_backgrounds,
)
from models.evaluation.reports.report import to_png
from service.domain import image as photograph
from service.domain.face import Box
from service.pipeline.opening import PipelineOptions, open_embedder, open_face_extractor


def _known() -> Recall:
    searches = {
        Condition(1, 30): [Search((True, False), 0, 0.1), Search((False, False), 1, 0.3)],
        Condition(1, 60): [Search((True, True), 0, 0.2), Search((True, True), 0, 0.2)],
    }
    return Recall(max_side_px=640, min_face_px=40, searches=searches)


def test_recall_is_the_share_of_all_faces_of_a_condition() -> None:
    assert _known().rows() == [
        ("size", "30 px", "60 px", "extra faces", "CPU time"),
        ("1 MP", "25.0 %", "100.0 %", "1", "200 ms"),
    ]
    numbers = _known().numbers()
    assert (numbers["max_side_px"], numbers["min_face_px"]) == (640, 40)
    assert numbers["mean_cpu_s"] == [{"megapixels": 1, "cpu_s": pytest.approx(0.2)}]
    assert to_png(_known().draw()).startswith(b"\x89PNG")


def test_conditions_are_every_size_with_every_width() -> None:
    assert list_conditions([2, 1, 2], (30, 40)) == [
        Condition(1, 30),
        Condition(1, 40),
        Condition(2, 30),
        Condition(2, 40),
    ]


@pytest.mark.parametrize("megapixels", [1, 2])
@pytest.mark.parametrize("number", range(10))
def test_the_largest_faces_have_room_beside_each_other(megapixels: int, number: int) -> None:
    face = KnownFace(np.zeros((250, 250, 3), np.uint8), Box(80, 60, 90, 130))
    background = np.full((20, 30, 3), 255, np.uint8)

    composite = make_composite(background, [face] * FACES_IN_ONE, Condition(megapixels, max(WIDTHS_PX)), number)

    height, width = composite.pixels.shape[:2]
    assert height * width == pytest.approx(megapixels * 1e6, rel=0.01)
    edges = [edge for box in composite.boxes for edge in (box.x, box.x + box.width)]
    assert edges == sorted(edges)
    assert all(box.y >= 0 and box.y + box.height <= height for box in composite.boxes)


def test_faces_of_60_px_are_found_and_not_in_a_search_that_shrinks_the_photograph(
    options: PipelineOptions, images: Path
) -> None:
    faces, done = find_known_faces(options, images, 2, lambda: None), list[None]()
    conditions, backgrounds = [Condition(2, 60)], read_backgrounds(None, options.max_pixels)

    usual = evaluate_recall(options, faces, backgrounds, conditions, lambda: done.append(None))
    shrunk = evaluate_recall(replace(options, max_side_px=160), faces, backgrounds, conditions, lambda: None)

    assert len(done) == 1
    assert usual.searches[conditions[0]][0].found == (True, True)
    assert shrunk.searches[conditions[0]][0].found == (False, False)


def test_the_usual_backgrounds_have_no_face(options: PipelineOptions) -> None:
    extractor = open_face_extractor(options, open_embedder(options).card)

    for pixels in read_backgrounds(None, options.max_pixels):
        assert not extractor.find_faces(photograph.Image(pixels))


def test_backgrounds_can_be_those_of_a_folder(tmp_path: Path) -> None:
    Image.new("RGB", (30, 20), "green").save(tmp_path / "meadow.png")

    (pixels,) = read_backgrounds(tmp_path, 1000)

    assert pixels.shape == (20, 30, 3)
    with pytest.raises(DatasetError, match=r"meadow\.png cannot be used"):
        read_backgrounds(tmp_path, 100)
