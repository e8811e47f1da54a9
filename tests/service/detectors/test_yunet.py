from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from service.card import DetectorCard
from service.detectors.yunet import NMS_IOU, NMS_TOP_K, YuNet
from service.domain import Face, Image, Pixels
from service.images import decode
from service.model_file import ModelFile, open_model

MAX_PIXELS = 50_000_000
MAX_SIDE_PX = 640
MIN_SCORE = 0.8
AGREE_WITHIN_PX = 2.0


@pytest.fixture(scope="module")
def file(models_dir: Path) -> ModelFile[DetectorCard]:
    return open_model(models_dir / "yunet.onnx", DetectorCard, "cpu", 1)


@pytest.fixture(scope="module")
def yunet(file: ModelFile[DetectorCard]) -> YuNet:
    return YuNet(file, max_side_px=MAX_SIDE_PX, min_score=MIN_SCORE)


@pytest.fixture(scope="module")
def original(models_dir: Path) -> Path:
    """YuNet as its makers published it."""
    return models_dir.parent / "packages" / "face_detection_yunet_2023mar_int8bq.onnx"


def images(folder: Path) -> list[Image]:
    found = [decode(path.read_bytes(), MAX_PIXELS) for path in sorted(folder.rglob("*.*"))]
    assert found
    return found


def shrunk(pixels: Pixels, max_side_px: int) -> Pixels:
    height, width = pixels.shape[:2]
    scale = min(1.0, max_side_px / max(height, width))
    return np.asarray(
        cv2.resize(pixels, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA), np.uint8
    )


def by_opencv(original: Path, image: Image) -> NDArray[np.float64]:
    """(n, 15): box, five points, score, in pixels of the image, most certain first."""
    small = shrunk(image.pixels, MAX_SIDE_PX)
    size = (small.shape[1], small.shape[0])
    yardstick = cv2.FaceDetectorYN.create(str(original), "", size, MIN_SCORE, NMS_IOU, NMS_TOP_K)
    _, faces = yardstick.detect(small[:, :, ::-1].copy())
    scale = np.array([image.width, image.height]) / size
    return np.asarray(faces * np.append(np.tile(scale, 7), 1.0), np.float64)


def as_rows(faces: list[Face]) -> NDArray[np.float64]:
    """As OpenCV gives them."""
    rows = [
        [one.box.x, one.box.y, one.box.width, one.box.height, *one.landmarks.ravel().tolist(), one.score]
        for one in faces
    ]
    return np.array(rows, np.float64).reshape(-1, 15)


def assert_agrees(yunet: YuNet, original: Path, image: Image) -> None:
    (faces,) = yunet.detect([image])
    found, expected = as_rows(faces), by_opencv(original, image)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found[:, :14], expected[:, :14], atol=AGREE_WITHIN_PX)
    np.testing.assert_allclose(found[:, 14], expected[:, 14], atol=1e-3)


def test_opencv_finds_the_same_face_in_portraits(yunet: YuNet, original: Path, photographs: Path) -> None:
    for image in images(photographs):
        assert_agrees(yunet, original, image)


def test_opencv_finds_the_same_faces_in_groups(yunet: YuNet, original: Path, groups: Path) -> None:
    for image in images(groups):
        assert_agrees(yunet, original, image)


def test_groups_are_the_same_alone_and_in_a_batch(yunet: YuNet, groups: Path) -> None:
    """Some of them share a size, and so a call of the network; others do not."""
    together = images(groups)
    for image, faces in zip(together, yunet.detect(together), strict=True):
        (alone,) = yunet.detect([image])
        np.testing.assert_allclose(as_rows(alone), as_rows(faces), atol=1e-3)


def test_a_face_that_fills_the_view_is_found_at_a_smaller_size(yunet: YuNet, obama: bytes) -> None:
    portrait = decode(obama, MAX_PIXELS)
    ((face,),) = yunet.detect([portrait])
    left, top = round(face.box.x), round(face.box.y)
    tight = portrait.pixels[top : top + round(face.box.height), left : left + round(face.box.width)]
    ((found,),) = yunet.detect([Image(np.asarray(cv2.resize(tight, (640, 640)), np.uint8))])
    assert found.box.width > 400


def test_faces_below_the_minimum_score_are_left_out(file: ModelFile[DetectorCard], obama: bytes) -> None:
    image = decode(obama, MAX_PIXELS)
    ((face,),) = YuNet(file, max_side_px=MAX_SIDE_PX, min_score=MIN_SCORE).detect([image])
    assert MIN_SCORE < face.score < 1.0
    (left_out,) = YuNet(file, max_side_px=MAX_SIDE_PX, min_score=min(0.999, face.score + 0.02)).detect([image])
    assert left_out == []


def test_boxes_are_in_pixels_of_the_photograph_however_large_it_is(
    file: ModelFile[DetectorCard], yunet: YuNet, obama: bytes
) -> None:
    image = decode(obama, MAX_PIXELS)
    ((small,),) = yunet.detect([image])
    ((large,),) = YuNet(file, max_side_px=2_000, min_score=MIN_SCORE).detect([image])
    assert np.abs(as_rows([small]) - as_rows([large]))[0, :14].max() < 0.1 * small.box.width


@pytest.mark.lfw
def test_every_face_of_labelled_faces_in_the_wild_is_found(yunet: YuNet, lfw: Path) -> None:
    """A slice of it, and those photographs whose faces score lowest of all 13,233."""
    hard = ["Hernan_Diaz_0001", "Jeff_Feldman_0001", "Susan_Sarandon_0002", "Abid_Hamid_Mahmud_Al-Tikriti_0002"]
    slice_of_all = sorted(lfw.glob("images/*/*_0001.jpg"))[::80]
    for path in [*slice_of_all, *(lfw / "images" / name[:-5] / f"{name}.jpg" for name in hard)]:
        (faces,) = yunet.detect([decode(path.read_bytes(), MAX_PIXELS)])
        assert faces, path.name
