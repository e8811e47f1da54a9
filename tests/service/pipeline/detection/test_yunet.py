from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from service.domain.image import Pixels
from service.model_files.card import DetectorCard
from service.model_files.execution.options import Execution
from service.model_files.model_file import ModelFile, open_model
from service.pipeline.decoding.decode import decode
from service.pipeline.detection.overlaps import NMS_IOU
from service.pipeline.detection.yunet import NMS_TOP_K, YuNet
from tests.support.face_rows import to_rows

MAX_PIXELS = 50_000_000
MAX_SIDE_PX = 640
MIN_SCORE = 0.8
TOLERANCE_PX = 2.0


@pytest.fixture(scope="module")
def model_file(models_dir: Path) -> ModelFile[DetectorCard]:
    return open_model(models_dir / "yunet.onnx", DetectorCard, Execution())


@pytest.fixture(scope="module")
def yunet(model_file: ModelFile[DetectorCard]) -> YuNet:
    return YuNet(model_file, min_score=MIN_SCORE, small_min_score=MIN_SCORE)


@pytest.fixture(scope="module")
def original_file(models_dir: Path) -> Path:
    """Return the file of YuNet as its authors published it."""
    return models_dir.parent / "packages" / "face_detection_yunet_2023mar_int8bq.onnx"


def decode_pictures(folder: Path) -> list[Pixels]:
    """Return the pictures of a folder. Larger ones are shrunk to MAX_SIDE_PX."""
    pictures = [shrink(decode(path.read_bytes(), MAX_PIXELS).pixels) for path in sorted(folder.rglob("*.*"))]
    assert pictures
    return pictures


def shrink(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    scale = min(1.0, MAX_SIDE_PX / max(height, width))
    return np.asarray(
        cv2.resize(pixels, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA), np.uint8
    )


def detect_by_opencv(original_file: Path, pixels: Pixels) -> NDArray[np.float64]:
    """Return (n, 15): box, five landmarks and score, highest score first."""
    size = (pixels.shape[1], pixels.shape[0])
    detector = cv2.FaceDetectorYN.create(str(original_file), "", size, MIN_SCORE, NMS_IOU, NMS_TOP_K)
    _, faces = detector.detect(pixels[:, :, ::-1].copy())
    return np.asarray(faces, np.float64)


def assert_agrees_with_opencv(yunet: YuNet, original_file: Path, pixels: Pixels) -> None:
    rows, expected_rows = to_rows(yunet.detect(pixels)), detect_by_opencv(original_file, pixels)
    assert rows.shape == expected_rows.shape
    np.testing.assert_allclose(rows[:, :14], expected_rows[:, :14], atol=TOLERANCE_PX)
    np.testing.assert_allclose(rows[:, 14], expected_rows[:, 14], atol=1e-3)


def test_portraits_give_the_same_face_as_opencv(yunet: YuNet, original_file: Path, photographs: Path) -> None:
    for pixels in decode_pictures(photographs):
        assert_agrees_with_opencv(yunet, original_file, pixels)


def test_group_photographs_give_the_same_faces_as_opencv(yunet: YuNet, original_file: Path, groups: Path) -> None:
    for pixels in decode_pictures(groups):
        assert_agrees_with_opencv(yunet, original_file, pixels)


def test_faces_below_the_minimum_score_are_left_out(model_file: ModelFile[DetectorCard], obama: bytes) -> None:
    pixels = shrink(decode(obama, MAX_PIXELS).pixels)
    (face,) = YuNet(model_file, min_score=MIN_SCORE, small_min_score=MIN_SCORE).detect(pixels)
    assert MIN_SCORE < face.detection_score < 1.0
    assert (
        YuNet(model_file, min_score=min(0.999, face.detection_score + 0.02), small_min_score=1.0).detect(pixels) == []
    )


@pytest.mark.lfw
def test_a_face_is_found_in_every_photograph_of_lfw(yunet: YuNet, lfw: Path) -> None:
    """Test every 80th person, and the four photographs whose faces have the lowest scores of all 13,233."""
    lowest_scores = [
        "Hernan_Diaz_0001",
        "Jeff_Feldman_0001",
        "Susan_Sarandon_0002",
        "Abid_Hamid_Mahmud_Al-Tikriti_0002",
    ]
    every_80th_person = sorted(lfw.glob("images/*/*_0001.jpg"))[::80]
    for path in [*every_80th_person, *(lfw / "images" / name[:-5] / f"{name}.jpg" for name in lowest_scores)]:
        assert yunet.detect(decode(path.read_bytes(), MAX_PIXELS).pixels), path.name
