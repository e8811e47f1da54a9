from dataclasses import replace

import numpy as np
import pytest

from service.card import LandmarksCard
from service.domain import Box, Face, Image
from service.images import decode
from service.landmarks import Landmarks
from service.model_file import open_model
from service.pipeline import PipelineOptions, Sight
from tests.pictures import side_by_side

MAX_PIXELS = 10_000_000


@pytest.fixture(scope="module")
def landmarks(options: PipelineOptions) -> Landmarks:
    assert options.landmarks is not None
    return Landmarks(open_model(options.landmarks.path, LandmarksCard, "cpu", 1))


@pytest.fixture(scope="module")
def four(obama: bytes, obama2: bytes, biden: bytes, astronaut: bytes) -> Image:
    """One photograph of four faces."""
    return decode(side_by_side(obama, obama2, biden, astronaut), MAX_PIXELS)


@pytest.fixture(scope="module")
def detected(sight: Sight, four: Image) -> list[Face]:
    """With the detector's own points."""
    (faces,) = sight.detector.detect([four])
    assert len(faces) == 4
    return faces


def test_points_are_near_those_of_the_detector(landmarks: Landmarks, four: Image, detected: list[Face]) -> None:
    for rough, fine in zip(detected, landmarks.refine(four, detected), strict=True):
        distances = np.linalg.norm(fine.landmarks - rough.landmarks, axis=1)
        assert distances.max() < 0.15 * rough.box.width
        assert distances.max() > 0.0


def test_only_the_points_are_changed_and_the_order_is_kept(
    landmarks: Landmarks, four: Image, detected: list[Face]
) -> None:
    refined = landmarks.refine(four, detected)
    assert [(one.box, one.score) for one in refined] == [(one.box, one.score) for one in detected]
    assert all(one.landmarks.dtype == np.float32 for one in refined)


def test_points_come_in_the_order_that_the_domain_names(
    landmarks: Landmarks, four: Image, detected: list[Face]
) -> None:
    for one in landmarks.refine(four, detected):
        right_eye, left_eye, nose, right_corner, left_corner = one.landmarks
        assert right_eye[0] < nose[0] < left_eye[0]
        assert right_corner[0] < left_corner[0]
        assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_corner[1], left_corner[1])


def test_a_face_s_points_are_the_same_alone_and_among_others(
    landmarks: Landmarks, four: Image, detected: list[Face]
) -> None:
    for one, together in zip(detected, landmarks.refine(four, detected), strict=True):
        (alone,) = landmarks.refine(four, [one])
        np.testing.assert_allclose(alone.landmarks, together.landmarks, atol=1e-3)


def test_points_move_with_the_picture(landmarks: Landmarks, four: Image, detected: list[Face]) -> None:
    moved = Image(np.pad(four.pixels, ((37, 0), (53, 0), (0, 0))))
    shifted = [replace(one, box=Box(one.box.x + 53, one.box.y + 37, one.box.width, one.box.height)) for one in detected]
    for before, after in zip(landmarks.refine(four, detected), landmarks.refine(moved, shifted), strict=True):
        np.testing.assert_allclose(after.landmarks - before.landmarks, np.tile([53, 37], (5, 1)), atol=1e-2)


def test_what_is_beyond_the_image_is_black(landmarks: Landmarks, four: Image, detected: list[Face]) -> None:
    leftmost = min(detected, key=lambda one: one.box.x)
    cut = round(leftmost.box.centre[0])
    half = Image(np.ascontiguousarray(four.pixels[:, cut:]))
    black = Image(np.concatenate([np.zeros_like(four.pixels[:, :cut]), half.pixels], axis=1))
    shifted = replace(leftmost, box=Box(leftmost.box.x - cut, leftmost.box.y, leftmost.box.width, leftmost.box.height))
    (expected,), (found,) = landmarks.refine(black, [leftmost]), landmarks.refine(half, [shifted])
    np.testing.assert_allclose(expected.landmarks - found.landmarks, np.tile([cut, 0], (5, 1)), atol=1e-2)


@pytest.mark.parametrize(
    "box", [Box(-500, -500, 40, 40), Box(10, 10, 0, 0), Box(0, 0, 5_000, 5_000), Box(3, 3, 0.2, 900)]
)
def test_any_box_gets_five_finite_points(landmarks: Landmarks, box: Box) -> None:
    (found,) = landmarks.refine(
        Image(np.full((60, 80, 3), 128, np.uint8)), [Face(box, np.zeros((5, 2), np.float32), 1.0)]
    )
    assert np.isfinite(found.landmarks).all()


def test_no_face_needs_no_points(landmarks: Landmarks, four: Image) -> None:
    assert landmarks.refine(four, []) == []
