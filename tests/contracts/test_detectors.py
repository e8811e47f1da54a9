"""What every detector in the catalogue must do."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from models.zoo.catalogue import read_zoo
from service.domain.image import Image
from service.model_files.card import DetectorCard
from service.model_files.execution.options import Execution
from service.model_files.model_file import open_model
from service.pipeline.decoding.decode import decode
from service.pipeline.detection.base import Detector
from service.pipeline.detection.yunet import YuNet
from tests.support.face_rows import to_rows
from tests.support.sample_images import place_side_by_side, png_without_face

MAX_PIXELS = 50_000_000
NAMES = [name for name, model in read_zoo().models.items() if model.card["role"] == "detector"]


@pytest.fixture(scope="module", params=NAMES)
def detector(request: pytest.FixtureRequest, models_dir: Path) -> Detector:
    file = open_model(models_dir / f"{request.param}.onnx", DetectorCard, Execution())
    return YuNet(file, min_score=0.8, small_min_score=0.8)


@pytest.fixture(scope="module")
def portraits(photographs: Path) -> list[Image]:
    """Return photographs that show one person, each 400 x 500 pixels."""
    return [decode(place_side_by_side(path.read_bytes()), MAX_PIXELS) for path in sorted(photographs.rglob("*.*"))]


def test_the_only_face_of_a_portrait_is_found(detector: Detector, portraits: list[Image]) -> None:
    assert [len(detector.detect(image.pixels)) for image in portraits] == [1] * len(portraits)


def test_a_face_is_inside_its_image_and_its_landmarks_are_inside_its_box(
    detector: Detector, portraits: list[Image]
) -> None:
    for image in portraits:
        (face,) = detector.detect(image.pixels)
        x, y = face.box.centre
        assert 0 < x < image.width
        assert 0 < y < image.height
        assert 0.0 < face.detection_score <= 1.0
        corner, size = np.array([face.box.x, face.box.y]), np.array([face.box.width, face.box.height])
        relative_landmarks = (face.landmarks - corner) / size
        assert relative_landmarks.min() > -0.1
        assert relative_landmarks.max() < 1.1
        right_eye, left_eye, nose, *mouth_corners = face.landmarks
        assert right_eye[0] < left_eye[0]
        assert max(right_eye[1], left_eye[1]) < nose[1] < min(mouth_corner[1] for mouth_corner in mouth_corners)


def test_faces_are_sorted_by_their_detection_scores(detector: Detector, photographs: Path) -> None:
    people = [path.read_bytes() for path in sorted(photographs.rglob("*.*"))]
    faces = detector.detect(decode(place_side_by_side(*people), MAX_PIXELS).pixels)
    scores = [face.detection_score for face in faces]
    assert len(scores) > 2
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("sides", [(1, 1), (31, 33), (3, 2_000), (2_000, 3), (320, 240)])
def test_no_face_is_found_in_a_grey_image_of_any_size(detector: Detector, sides: tuple[int, int]) -> None:
    assert detector.detect(np.full((*sides, 3), 90, np.uint8)) == []


def test_no_face_is_found_in_a_landscape(detector: Detector) -> None:
    assert detector.detect(decode(png_without_face(), MAX_PIXELS).pixels) == []


def test_several_threads_can_detect_at_the_same_time(detector: Detector, portraits: list[Image]) -> None:
    alone = [to_rows(detector.detect(image.pixels)) for image in portraits]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda image: to_rows(detector.detect(image.pixels)), portraits * 3))
    for by_threads, expected in zip(together, alone * 3, strict=True):
        np.testing.assert_allclose(by_threads, expected, atol=1e-3)
