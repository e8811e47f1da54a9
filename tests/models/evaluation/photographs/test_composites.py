from pathlib import Path

import numpy as np
import pytest

from models.errors import DatasetError
from models.evaluation.photographs.composites import Composite, KnownFace, find_known_faces, search
from service.domain.face import Box
from service.pipeline.opening import PipelineOptions, open_embedder, open_face_extractor


def _picture() -> KnownFace:
    """Return a face whose box is red, in a picture that is blue elsewhere."""
    pixels = np.full((100, 120, 3), (0, 0, 255), np.uint8)
    pixels[30:60, 40:60] = (255, 0, 0)
    return KnownFace(pixels, Box(40, 30, 20, 30))


@pytest.mark.parametrize("width_px", [10, 20, 60])
def test_a_head_has_half_the_box_on_each_side_and_the_given_width(width_px: int) -> None:
    head = _picture().cut_head(width_px)

    assert head.box == Box(width_px / 2, 0.75 * width_px, width_px, 1.5 * width_px)
    assert head.pixels.shape == (3 * width_px, 2 * width_px, 3)
    assert head.pixels[head.pixels.shape[0] // 2, width_px].tolist() == [255, 0, 0]
    assert head.pixels[0, 0].tolist() == [0, 0, 255]


def test_a_head_at_the_edge_of_the_photograph_is_cut_off_there() -> None:
    head = KnownFace(_picture().pixels, Box(-4, 30, 20, 30)).cut_head(20)

    assert head.box == Box(-4, 15, 20, 30)
    assert head.pixels.shape == (60, 26, 3)


def test_a_pasted_face_changes_only_its_place_and_returns_its_box() -> None:
    canvas = np.zeros((200, 200, 3), np.uint8)

    box = _picture().paste(canvas, left=50, top=70)

    assert box == Box(90, 100, 20, 30)
    assert canvas[100:130, 90:110].min(axis=(0, 1)).tolist() == [255, 0, 0]
    assert not canvas[:70].any()
    assert not canvas[:, :50].any()


def test_a_face_is_found_at_its_box_and_extra_elsewhere(options: PipelineOptions, images: Path) -> None:
    (face,) = find_known_faces(options, images, 1, lambda: None)
    extractor = open_face_extractor(options, open_embedder(options).card)
    height, width = face.pixels.shape[:2]

    at_its_box = search(extractor, Composite(face.pixels, (face.box,)))
    elsewhere = search(extractor, Composite(face.pixels, (Box(0, 0, width / 10, height / 10),)))

    assert (at_its_box.found, at_its_box.extra) == ((True,), 0)
    assert (elsewhere.found, elsewhere.extra) == ((False,), 1)
    assert at_its_box.cpu_s > 0


def test_known_faces_are_of_different_people(options: PipelineOptions, images: Path) -> None:
    done: list[None] = []

    one, other = find_known_faces(options, images, 2, lambda: done.append(None))

    assert one.pixels.shape != other.pixels.shape
    assert len(done) == 2


def test_too_few_people_are_an_error(options: PipelineOptions, images: Path) -> None:
    with pytest.raises(DatasetError, match="has photographs of 2 people that show one face, and 3 are needed"):
        find_known_faces(options, images, 3, lambda: None)


def test_a_photograph_that_cannot_be_read_is_an_error(options: PipelineOptions, images: Path) -> None:
    for file in images.glob("*/*_0001.jpg"):
        file.write_bytes(b"not a photograph")

    with pytest.raises(DatasetError, match=r"_0001\.jpg cannot be used"):
        find_known_faces(options, images, 1, lambda: None)
