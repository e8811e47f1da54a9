import cv2
import numpy as np
import pytest

from service.domain.distances import squared_l2
from service.domain.embedding import Embeddings
from service.domain.face import Face
from service.domain.image import Image, Pixels
from service.model_files.card import DetectorCard, LandmarksCard
from service.model_files.execution.options import Execution
from service.model_files.model_file import open_model
from service.pipeline.decoding.decode import decode
from service.pipeline.detection.finding import FaceFinder, _region_around
from service.pipeline.detection.landmarks import LandmarkNetwork
from service.pipeline.detection.pyramid import PyramidDetector
from service.pipeline.detection.yunet import YuNet
from service.pipeline.embedders.onnx import OnnxEmbedder
from service.pipeline.extraction import FaceExtractor
from service.pipeline.opening import PipelineOptions
from tests.support.fakes import RecordingDetector, frontal_face
from tests.support.sample_images import place_side_by_side, png_without_face

MAX_PIXELS = 50_000_000


def _rotate(image: Image, degrees: float) -> Image:
    """Rotate an image counterclockwise around its centre. It keeps its size."""
    centre = ((image.width - 1) / 2, (image.height - 1) / 2)
    rotation = cv2.getRotationMatrix2D(centre, degrees, 1.0)
    return Image(np.asarray(cv2.warpAffine(image.pixels, rotation, (image.width, image.height)), np.uint8))


def _portrait(photograph: bytes) -> Image:
    return decode(place_side_by_side(photograph), MAX_PIXELS)


def _embed(extractor: FaceExtractor, embedder: OnnxEmbedder, image: Image) -> tuple[Face, Embeddings]:
    """Return the only face of an image, and its embedding, (1, d)."""
    (face,) = extractor.find_faces(image)
    return face, embedder.embed(extractor.aligner.align(image, [face]))


@pytest.mark.parametrize("degrees", [45, 90, 120, 150, 180, 210, 270])
def test_a_turned_face_is_embedded_as_an_upright_one(
    extractor: FaceExtractor, embedder: OnnxEmbedder, obama: bytes, biden: bytes, degrees: int
) -> None:
    for photograph in (obama, biden):
        upright, expected = _embed(extractor, embedder, _portrait(photograph))
        turned, embeddings = _embed(extractor, embedder, _rotate(_portrait(photograph), degrees))
        assert squared_l2(embeddings, expected).item() < 0.4
        difference = (upright.roll_deg - turned.roll_deg - degrees + 180) % 360 - 180
        assert abs(difference) < 8


def test_two_people_who_are_upside_down_do_not_match(
    extractor: FaceExtractor, embedder: OnnxEmbedder, obama: bytes, biden: bytes
) -> None:
    (_, a), (_, b) = (_embed(extractor, embedder, _rotate(_portrait(person), 180)) for person in (obama, biden))
    assert squared_l2(a, b).item() > 1.242


def test_upright_and_turned_faces_of_one_photograph_are_found(
    extractor: FaceExtractor, obama: bytes, biden: bytes
) -> None:
    upside_down = _portrait(obama).pixels[::-1, ::-1]
    photograph = Image(np.concatenate([_portrait(biden).pixels, upside_down], axis=1))

    faces = sorted(extractor.find_faces(photograph), key=lambda face: face.box.x)

    assert [face.quarter_turns for face in faces] == [0, 2]


def test_a_candidate_that_the_landmark_network_does_not_take_for_a_face_is_left_out(
    options: PipelineOptions, obama: bytes
) -> None:
    portrait, landscape = _portrait(obama), decode(png_without_face(), MAX_PIXELS)
    assert options.landmarks is not None
    landmarks = LandmarkNetwork(open_model(options.landmarks.path, LandmarksCard, Execution()))
    (candidate,) = YuNet(
        open_model(options.detector.path, DetectorCard, Execution()), min_score=0.6, small_min_score=0.6
    ).detect(portrait.pixels)
    finder = FaceFinder(PyramidDetector(RecordingDetector(candidate), 40, 65_535), landmarks)

    assert len(finder.find(portrait)) == 1
    assert finder.find(landscape) == []


@pytest.mark.parametrize(("x", "y"), [(20, 30), (-900, -900), (900, 30), (20, 900), (900, 900)])
def test_the_region_around_a_face_has_pixels_even_if_its_box_is_beyond_the_edge(x: float, y: float) -> None:
    image = Image(np.zeros((60, 80, 3), np.uint8))
    region, moved = _region_around(image, frontal_face(x, y, 10, 12))
    assert 1 <= region.width <= 80
    assert 1 <= region.height <= 60
    assert moved.box.width == 10


@pytest.mark.parametrize("pixels", [np.zeros((300, 300, 3), np.uint8), np.full((40, 900, 3), 255, np.uint8)])
def test_no_face_is_found_in_a_plain_picture(extractor: FaceExtractor, pixels: Pixels) -> None:
    assert extractor.find_faces(Image(pixels)) == []
