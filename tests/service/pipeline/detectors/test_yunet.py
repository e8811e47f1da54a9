from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from service.domain.face import Face
from service.domain.image import Image, Pixels
from service.model_files.card import DetectorCard
from service.model_files.model_file import ModelFile, open_model
from service.pipeline.decoding import decode
from service.pipeline.detectors.yunet import NMS_IOU, NMS_TOP_K, YuNet

MAX_PIXELS = 50_000_000
MAX_SIDE_PX = 640
MIN_SCORE = 0.8
TOLERANCE_PX = 2.0


@pytest.fixture(scope="module")
def model_file(models_dir: Path) -> ModelFile[DetectorCard]:
    return open_model(models_dir / "yunet.onnx", DetectorCard, "cpu", 1)


@pytest.fixture(scope="module")
def yunet(model_file: ModelFile[DetectorCard]) -> YuNet:
    return YuNet(model_file, max_side_px=MAX_SIDE_PX, min_score=MIN_SCORE)


@pytest.fixture(scope="module")
def original_file(models_dir: Path) -> Path:
    """Return the file of YuNet as its authors published it."""
    return models_dir.parent / "packages" / "face_detection_yunet_2023mar_int8bq.onnx"


def decode_images(folder: Path) -> list[Image]:
    images = [decode(path.read_bytes(), MAX_PIXELS) for path in sorted(folder.rglob("*.*"))]
    assert images
    return images


def shrink(pixels: Pixels, max_side_px: int) -> Pixels:
    height, width = pixels.shape[:2]
    scale = min(1.0, max_side_px / max(height, width))
    return np.asarray(
        cv2.resize(pixels, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA), np.uint8
    )


def detect_by_opencv(original_file: Path, image: Image) -> NDArray[np.float64]:
    """Return (n, 15): box, five landmarks and score, in pixels of the image, highest score first."""
    small = shrink(image.pixels, MAX_SIDE_PX)
    size = (small.shape[1], small.shape[0])
    detector = cv2.FaceDetectorYN.create(str(original_file), "", size, MIN_SCORE, NMS_IOU, NMS_TOP_K)
    _, faces = detector.detect(small[:, :, ::-1].copy())
    scale = np.array([image.width, image.height]) / size
    return np.asarray(faces * np.append(np.tile(scale, 7), 1.0), np.float64)


def as_rows(faces: list[Face]) -> NDArray[np.float64]:
    """Return the faces as (n, 15), in the form of OpenCV."""
    rows = [
        [
            face.box.x,
            face.box.y,
            face.box.width,
            face.box.height,
            *face.landmarks.ravel().tolist(),
            face.detection_score,
        ]
        for face in faces
    ]
    return np.array(rows, np.float64).reshape(-1, 15)


def assert_agrees_with_opencv(yunet: YuNet, original_file: Path, image: Image) -> None:
    (faces,) = yunet.detect([image])
    rows, expected_rows = as_rows(faces), detect_by_opencv(original_file, image)
    assert rows.shape == expected_rows.shape
    np.testing.assert_allclose(rows[:, :14], expected_rows[:, :14], atol=TOLERANCE_PX)
    np.testing.assert_allclose(rows[:, 14], expected_rows[:, 14], atol=1e-3)


def test_portraits_give_the_same_face_as_opencv(yunet: YuNet, original_file: Path, photographs: Path) -> None:
    for image in decode_images(photographs):
        assert_agrees_with_opencv(yunet, original_file, image)


def test_group_photographs_give_the_same_faces_as_opencv(yunet: YuNet, original_file: Path, groups: Path) -> None:
    for image in decode_images(groups):
        assert_agrees_with_opencv(yunet, original_file, image)


def test_group_photographs_give_the_same_faces_alone_and_in_a_batch(yunet: YuNet, groups: Path) -> None:
    """Some photographs have the same size and share a call of the network. Others do not."""
    images = decode_images(groups)
    for image, faces in zip(images, yunet.detect(images), strict=True):
        (alone,) = yunet.detect([image])
        np.testing.assert_allclose(as_rows(alone), as_rows(faces), atol=1e-3)


def test_a_face_that_fills_the_image_is_found_at_a_smaller_scale(yunet: YuNet, obama: bytes) -> None:
    portrait = decode(obama, MAX_PIXELS)
    ((face,),) = yunet.detect([portrait])
    left, top = round(face.box.x), round(face.box.y)
    close_up = portrait.pixels[top : top + round(face.box.height), left : left + round(face.box.width)]
    ((close_up_face,),) = yunet.detect([Image(np.asarray(cv2.resize(close_up, (640, 640)), np.uint8))])
    assert close_up_face.box.width > 400


def test_faces_below_the_minimum_score_are_left_out(model_file: ModelFile[DetectorCard], obama: bytes) -> None:
    image = decode(obama, MAX_PIXELS)
    ((face,),) = YuNet(model_file, max_side_px=MAX_SIDE_PX, min_score=MIN_SCORE).detect([image])
    assert MIN_SCORE < face.detection_score < 1.0
    (faces,) = YuNet(model_file, max_side_px=MAX_SIDE_PX, min_score=min(0.999, face.detection_score + 0.02)).detect(
        [image]
    )
    assert faces == []


def test_boxes_are_in_pixels_of_the_photograph_at_every_detection_size(
    model_file: ModelFile[DetectorCard], yunet: YuNet, obama: bytes
) -> None:
    image = decode(obama, MAX_PIXELS)
    ((small,),) = yunet.detect([image])
    ((large,),) = YuNet(model_file, max_side_px=2_000, min_score=MIN_SCORE).detect([image])
    assert np.abs(as_rows([small]) - as_rows([large]))[0, :14].max() < 0.1 * small.box.width


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
        (faces,) = yunet.detect([decode(path.read_bytes(), MAX_PIXELS)])
        assert faces, path.name
