"""What every detector of the zoo must do."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.zoo import read_zoo
from service.card import DetectorCard
from service.detectors.base import Detector
from service.detectors.yunet import YuNet
from service.domain import Face, Image
from service.images import decode
from service.model_file import open_model
from tests.pictures import meadow, side_by_side

MAX_PIXELS = 50_000_000
NAMES = [name for name, entry in read_zoo().models.items() if entry.card["role"] == "detector"]


@pytest.fixture(scope="module", params=NAMES)
def detector(request: pytest.FixtureRequest, models_dir: Path) -> Detector:
    file = open_model(models_dir / f"{request.param}.onnx", DetectorCard, "cpu", 1)
    return YuNet(file, max_side_px=640, min_score=0.8)


@pytest.fixture(scope="module")
def portraits(photographs: Path) -> list[Image]:
    """Photographs of one person each."""
    return [decode(path.read_bytes(), MAX_PIXELS) for path in sorted(photographs.rglob("*.*"))]


def numbers(faces: list[Face]) -> NDArray[np.float64]:
    rows = [
        [one.box.x, one.box.y, one.box.width, one.box.height, one.score, *one.landmarks.ravel().tolist()]
        for one in faces
    ]
    return np.array(rows, np.float64).reshape(-1, 15)


def test_the_one_face_of_a_portrait_is_found(detector: Detector, portraits: list[Image]) -> None:
    assert [len(faces) for faces in detector.detect(portraits)] == [1] * len(portraits)


def test_a_face_lies_in_its_image_and_its_points_in_its_box(detector: Detector, portraits: list[Image]) -> None:
    for image, (face,) in zip(portraits, detector.detect(portraits), strict=True):
        x, y = face.box.centre
        assert 0 < x < image.width
        assert 0 < y < image.height
        assert 0.0 < face.score <= 1.0
        corner, size = np.array([face.box.x, face.box.y]), np.array([face.box.width, face.box.height])
        inside = (face.landmarks - corner) / size
        assert inside.min() > -0.1
        assert inside.max() < 1.1
        right_eye, left_eye, nose, *mouth = face.landmarks
        assert right_eye[0] < left_eye[0]
        assert max(right_eye[1], left_eye[1]) < nose[1] < min(corner[1] for corner in mouth)


def test_a_photograph_s_faces_are_the_same_alone_and_among_others(detector: Detector, portraits: list[Image]) -> None:
    for image, faces in zip(portraits, detector.detect(portraits), strict=True):
        (alone,) = detector.detect([image])
        np.testing.assert_allclose(numbers(alone), numbers(faces), atol=1e-3)


def test_photographs_of_one_size_are_the_same_alone_and_among_others(detector: Detector, photographs: Path) -> None:
    people = [(photographs / name).read_bytes() for name in ("obama/obama.jpg", "biden/biden.jpg", "obama/obama2.jpg")]
    same_size = [decode(side_by_side(left, right), MAX_PIXELS) for left in people for right in people]
    for image, faces in zip(same_size, detector.detect(same_size), strict=True):
        (alone,) = detector.detect([image])
        assert len(faces) == 2
        np.testing.assert_allclose(numbers(alone), numbers(faces), atol=1e-3)


def test_the_most_certain_face_comes_first(detector: Detector, photographs: Path) -> None:
    people = [path.read_bytes() for path in sorted(photographs.rglob("*.*"))]
    (faces,) = detector.detect([decode(side_by_side(*people), MAX_PIXELS)])
    scores = [face.score for face in faces]
    assert len(scores) > 2
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("sides", [(1, 1), (31, 33), (3, 2_000), (2_000, 3), (320, 240)])
def test_a_picture_without_a_face_has_none_whatever_its_size(detector: Detector, sides: tuple[int, int]) -> None:
    assert detector.detect([Image(np.full((*sides, 3), 90, np.uint8))]) == [[]]


def test_a_meadow_has_no_face(detector: Detector) -> None:
    assert detector.detect([decode(meadow(), MAX_PIXELS)]) == [[]]


def test_no_photograph_has_no_faces(detector: Detector) -> None:
    assert detector.detect([]) == []


def test_threads_may_detect_side_by_side(detector: Detector, portraits: list[Image]) -> None:
    alone = [numbers(detector.detect([image])[0]) for image in portraits]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda image: numbers(detector.detect([image])[0]), portraits * 3))
    for found, expected in zip(together, alone * 3, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-3)
