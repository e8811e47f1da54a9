from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.image import Image, Pixels
from service.pipeline.decoding.decode import decode
from service.pipeline.detection.pyramid import OVERLAP_PX, TILE_PX, PyramidDetector, _spans, best_faces
from service.pipeline.extraction import FaceExtractor
from tests.support.fakes import RecordingDetector, frontal_face

MAX_PIXELS = 50_000_000
MAX_SIDE_PX = 65_535


def searched_sizes(
    width: int, height: int, *, min_face_px: int = 40, max_side_px: int = MAX_SIDE_PX
) -> list[tuple[int, int]]:
    detector = RecordingDetector()
    PyramidDetector(detector, min_face_px, max_side_px).detect(Image(np.zeros((height, width, 3), np.uint8)))
    return detector.sizes


def test_a_small_photograph_is_searched_once() -> None:
    assert searched_sizes(250, 250) == [(250, 250)]


def test_each_level_is_half_as_large() -> None:
    assert searched_sizes(640, 480) == [(640, 480), (320, 240), (160, 120)]


def test_the_smallest_face_decides_on_the_first_level() -> None:
    """The detector finds 20 pixels, so a photograph with faces of 40 pixels is shrunk to a half."""
    assert searched_sizes(1_800, 1_200)[0] == (900, 600)
    assert searched_sizes(1_800, 1_200, min_face_px=60)[0] == (640, 427)
    assert searched_sizes(900, 600, min_face_px=20)[0] == (900, 600)


def test_the_longest_side_is_limited() -> None:
    assert searched_sizes(4_000, 3_000, max_side_px=640)[0] == (640, 480)


def test_a_large_level_is_searched_in_tiles() -> None:
    """The first level has 2,000 x 1,500 pixels: three tiles across, two down."""
    across, down = [731, 731, 730], [798, 798]
    assert searched_sizes(4_000, 3_000)[:6] == [(width, height) for height in down for width in across]


@given(side_px=st.integers(1, 40_000))
def test_tiles_cover_a_side_and_overlap(side_px: int) -> None:
    spans = _spans(side_px)
    assert (spans[0][0], spans[-1][1]) == (0, side_px)
    assert all(0 < end - start <= TILE_PX for start, end in spans)
    assert all(end - start >= OVERLAP_PX for (_, end), (start, _) in pairwise(spans))


def test_of_overlapping_faces_the_one_with_the_highest_rank_is_kept() -> None:
    faces = [frontal_face(10, 10, 50, 60), frontal_face(12, 11, 50, 60), frontal_face(100, 10, 50, 60)]
    assert best_faces(faces, [2.9, 3.8, 1.0]) == [faces[1], faces[2]]


def test_the_box_of_the_largest_level_is_kept(extractor: FaceExtractor, obama: bytes) -> None:
    """At half the size, the detection score of this photograph is a little higher, and the box is 7 pixels off."""
    (face,) = extractor.find_faces(decode(obama, MAX_PIXELS))
    assert face.box.y == pytest.approx(90.9, abs=0.5)


@pytest.mark.parametrize("quarter_turns", range(4))
def test_boxes_are_in_pixels_of_the_photograph_in_every_turn(quarter_turns: int) -> None:
    image = Image(np.zeros((200, 400, 3), np.uint8))
    in_turned = frontal_face(20, 30, 50, 60)

    (face,) = PyramidDetector(RecordingDetector(in_turned), 40, 250).detect(image, quarter_turns)

    scale = 400 / 250
    boxes = [(20, 30, 50, 60), (250 - 30 - 60 - 1, 20, 60, 50), (250 - 20 - 50 - 1, 125 - 30 - 60 - 1, 50, 60)]
    x, y, width, height = [*boxes, (30, 125 - 20 - 50 - 1, 60, 50)][quarter_turns]
    box = (face.box.x, face.box.y, face.box.width, face.box.height)
    assert box == pytest.approx((x * scale, y * scale, width * scale, height * scale))
    assert face.quarter_turns == quarter_turns


def _cut_out(photograph: bytes, extractor: FaceExtractor, margin: float) -> Pixels:
    """Return the only face of a photograph with a margin, a share of the box on each side."""
    image = decode(photograph, MAX_PIXELS)
    (face,) = extractor.find_faces(image)
    box = face.box
    left, top = max(0, round(box.x - margin * box.width)), max(0, round(box.y - margin * box.height))
    right, bottom = round(box.x + (1 + margin) * box.width), round(box.y + (1 + margin) * box.height)
    return image.pixels[top:bottom, left:right]


def _resize_to_width(pixels: Pixels, width: int) -> Pixels:
    height = round(pixels.shape[0] * width / pixels.shape[1])
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


@pytest.mark.parametrize("side_px", [500, 1_500])
def test_a_face_that_fills_the_photograph_is_found_beside_a_small_one(
    extractor: FaceExtractor, obama: bytes, biden: bytes, side_px: int
) -> None:
    """The small face is found at the first level, the large one at a lower level."""
    photograph = np.array(cv2.resize(_cut_out(obama, extractor, 0.0), (side_px, side_px)), np.uint8)
    bystander = _resize_to_width(_cut_out(biden, extractor, 0.2), 110)
    photograph[: bystander.shape[0], : bystander.shape[1]] = bystander

    faces = extractor.find_faces(Image(photograph))

    assert max(round(face.box.width / side_px, 1) for face in faces) >= 0.8
    assert len(faces) == 2


@pytest.mark.parametrize("height", [1_083, 1_760, 1_900, 2_100, 2_300, 3_600, 4_032])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.65])
def test_a_large_face_is_found_whole_at_the_borders_of_tiles(
    extractor: FaceExtractor, biden: bytes, height: int, share: float
) -> None:
    """A part of a face in a tile does not replace the face. share: how much of the width the face has."""
    face = _cut_out(biden, extractor, (1 / share - 1) / 2)
    width = round(height * face.shape[1] / face.shape[0])
    (small,) = extractor.find_faces(Image(_resize_to_width(face, 500)))

    (large,) = extractor.find_faces(Image(np.asarray(cv2.resize(face, (width, height)), np.uint8)))

    scale = width / 500
    for side in ("x", "y", "width", "height"):
        expected = getattr(small.box, side) * scale
        assert getattr(large.box, side) == pytest.approx(expected, abs=0.15 * small.box.width * scale)


@pytest.mark.parametrize("size", [(1_200, 900), (4_000, 3_000)])
def test_faces_of_40_pixels_are_found_in_photographs_of_any_size(
    extractor: FaceExtractor, obama: bytes, biden: bytes, astronaut: bytes, size: tuple[int, int]
) -> None:
    width, height = size
    photograph = np.full((height, width, 3), 128, np.uint8)
    places = [(0.1, 0.1), (0.48, 0.47), (0.85, 0.85)]
    for (x, y), portrait in zip(places, (obama, biden, astronaut), strict=True):
        face = _resize_to_width(_cut_out(portrait, extractor, 0.5), 80)
        left, top = round(x * width), round(y * height)
        photograph[top : top + face.shape[0], left : left + face.shape[1]] = face

    faces = extractor.find_faces(Image(photograph))

    assert [face.box.width for face in faces] == pytest.approx([40, 40, 40], abs=8)


def test_every_portrait_of_a_long_strip_is_found(extractor: FaceExtractor, obama: bytes) -> None:
    portrait = np.asarray(cv2.resize(_cut_out(obama, extractor, 0.5), (250, 250)), np.uint8)
    strip = np.concatenate([portrait] * 24, axis=1)
    assert len(extractor.find_faces(Image(strip))) == 24
