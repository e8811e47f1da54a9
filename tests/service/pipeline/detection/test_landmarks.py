from dataclasses import replace

import numpy as np
import pytest

from service.domain.face import Box, Face
from service.domain.image import Image
from service.model_files.card import LandmarksCard
from service.model_files.execution.options import Execution
from service.model_files.model_file import open_model
from service.pipeline.decoding.decode import decode
from service.pipeline.detection.landmarks import LandmarkNetwork
from service.pipeline.embedders.onnx import OnnxEmbedder
from service.pipeline.opening import PipelineOptions, open_face_extractor
from tests.support.sample_images import place_side_by_side

MAX_PIXELS = 10_000_000


@pytest.fixture(scope="module")
def network(options: PipelineOptions) -> LandmarkNetwork:
    assert options.landmarks is not None
    return LandmarkNetwork(open_model(options.landmarks.path, LandmarksCard, Execution()))


@pytest.fixture(scope="module")
def photograph_of_four(obama: bytes, obama2: bytes, biden: bytes, astronaut: bytes) -> Image:
    """Return one photograph of four faces."""
    return decode(place_side_by_side(obama, obama2, biden, astronaut), MAX_PIXELS)


@pytest.fixture(scope="module")
def detected(options: PipelineOptions, embedder: OnnxEmbedder, photograph_of_four: Image) -> list[Face]:
    """Return the faces with the landmarks of the detector."""
    extractor = open_face_extractor(replace(options, landmarks=None), embedder.card)
    faces = list(extractor.find_faces(photograph_of_four))
    assert len(faces) == 4
    return faces


def test_landmarks_are_near_those_of_the_detector(
    network: LandmarkNetwork, photograph_of_four: Image, detected: list[Face]
) -> None:
    for detected_face, refined_face in zip(detected, network.refine(photograph_of_four, detected), strict=True):
        distances = np.linalg.norm(refined_face.landmarks - detected_face.landmarks, axis=1)
        assert distances.max() < 0.15 * detected_face.box.width
        assert distances.max() > 0.0


def test_only_the_landmarks_change_and_the_order_of_the_faces_is_kept(
    network: LandmarkNetwork, photograph_of_four: Image, detected: list[Face]
) -> None:
    refined = network.refine(photograph_of_four, detected)
    assert [(face.box, face.detection_score) for face in refined] == [
        (face.box, face.detection_score) for face in detected
    ]
    assert all(face.landmarks.dtype == np.float32 for face in refined)


def test_landmarks_are_in_the_order_of_the_domain(
    network: LandmarkNetwork, photograph_of_four: Image, detected: list[Face]
) -> None:
    for face in network.refine(photograph_of_four, detected):
        right_eye, left_eye, nose, right_corner, left_corner = face.landmarks
        assert right_eye[0] < nose[0] < left_eye[0]
        assert right_corner[0] < left_corner[0]
        assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_corner[1], left_corner[1])


def test_the_landmarks_of_a_face_are_the_same_alone_and_among_others(
    network: LandmarkNetwork, photograph_of_four: Image, detected: list[Face]
) -> None:
    for face, together in zip(detected, network.refine(photograph_of_four, detected), strict=True):
        (alone,) = network.refine(photograph_of_four, [face])
        np.testing.assert_allclose(alone.landmarks, together.landmarks, atol=1e-3)


def test_landmarks_move_with_the_image(
    network: LandmarkNetwork, photograph_of_four: Image, detected: list[Face]
) -> None:
    moved = Image(np.pad(photograph_of_four.pixels, ((37, 0), (53, 0), (0, 0))))
    shifted = [
        replace(face, box=Box(face.box.x + 53, face.box.y + 37, face.box.width, face.box.height)) for face in detected
    ]
    for before, after in zip(network.refine(photograph_of_four, detected), network.refine(moved, shifted), strict=True):
        np.testing.assert_allclose(after.landmarks - before.landmarks, np.tile([53, 37], (5, 1)), atol=1e-2)


def test_the_area_outside_of_the_image_counts_as_black(
    network: LandmarkNetwork, photograph_of_four: Image, detected: list[Face]
) -> None:
    leftmost = min(detected, key=lambda face: face.box.x)
    middle_x = round(leftmost.box.centre[0])
    right_half = Image(np.ascontiguousarray(photograph_of_four.pixels[:, middle_x:]))
    black_left_half = Image(
        np.concatenate([np.zeros_like(photograph_of_four.pixels[:, :middle_x]), right_half.pixels], axis=1)
    )
    shifted = replace(
        leftmost, box=Box(leftmost.box.x - middle_x, leftmost.box.y, leftmost.box.width, leftmost.box.height)
    )
    (expected,), (refined,) = network.refine(black_left_half, [leftmost]), network.refine(right_half, [shifted])
    np.testing.assert_allclose(expected.landmarks - refined.landmarks, np.tile([middle_x, 0], (5, 1)), atol=1e-2)


@pytest.mark.parametrize(
    "box", [Box(-500, -500, 40, 40), Box(10, 10, 0, 0), Box(0, 0, 5_000, 5_000), Box(3, 3, 0.2, 900)]
)
def test_any_box_gives_five_finite_landmarks(network: LandmarkNetwork, box: Box) -> None:
    (refined,) = network.refine(
        Image(np.full((60, 80, 3), 128, np.uint8)), [Face(box, np.zeros((5, 2), np.float32), 1.0)]
    )
    assert np.isfinite(refined.landmarks).all()


def test_no_faces_give_no_landmarks(network: LandmarkNetwork, photograph_of_four: Image) -> None:
    assert network.refine(photograph_of_four, []) == []
