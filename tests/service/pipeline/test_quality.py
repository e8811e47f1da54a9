"""The quality of a real face, as it is and made worse in one way."""

import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageEnhance, ImageFilter, ImageOps

from service.domain.face import Face
from service.domain.image import Image
from service.domain.quality import FaceMeasures, QualityReason
from service.model_files.card import EmbedderCard, QualityWeights
from service.pipeline.embedders.onnx import OnnxEmbedder
from service.pipeline.extraction import FaceExtractor
from service.pipeline.quality import TEMPLATE, judge_faces, measure_faces
from service.pipeline.selection import main_face
from tests.support.fakes import frontal_face
from tests.support.sample_images import encode_png

Change = Callable[[Pillow.Image], Pillow.Image]


@pytest.fixture(scope="module")
def portrait(obama: bytes) -> Pillow.Image:
    """Return a photograph with a face 120 pixels wide."""
    photograph = Pillow.open(io.BytesIO(obama)).convert("RGB")
    return photograph.resize((photograph.width // 2, photograph.height // 2), Pillow.Resampling.BOX)


@pytest.fixture(scope="module")
def judge(extractor: FaceExtractor, embedder: OnnxEmbedder) -> Callable[[Pillow.Image], Face]:
    """Return a function that finds and judges the main face of a photograph."""

    def judge_main_face(photograph: Pillow.Image) -> Face:
        found = extractor.extract(encode_png(np.asarray(photograph)), main_face)
        (face,) = judge_faces(embedder.card.quality, found.faces, found.measures, embedder.embed(found.crops))
        return face

    return judge_main_face


def measure(image: Image, face: Face) -> FaceMeasures:
    (measures,) = measure_faces(image, [face], TEMPLATE.align(image, [face]))
    return measures


def measures_of(face: Face) -> FaceMeasures:
    assert face.quality is not None
    return face.quality.measures


def score_of(face: Face) -> float:
    assert face.quality is not None
    assert face.quality.score is not None
    return face.quality.score


def blur(photograph: Pillow.Image) -> Pillow.Image:
    return photograph.filter(ImageFilter.GaussianBlur(7))


def cover_the_lower_half(photograph: Pillow.Image) -> Pillow.Image:
    covered = photograph.copy()
    covered.paste((30, 30, 160), (0, 120, covered.width, covered.height))
    return covered


def pixelate(photograph: Pillow.Image) -> Pillow.Image:
    """Leave a face of eight pixels, enlarged."""
    small = photograph.resize((photograph.width // 15, photograph.height // 15), Pillow.Resampling.BOX)
    return small.resize(photograph.size, Pillow.Resampling.BILINEAR)


def test_a_good_photograph_has_a_high_score_and_no_reason(
    judge: Callable[[Pillow.Image], Face], portrait: Pillow.Image
) -> None:
    face = judge(portrait)
    assert face.quality is not None
    assert face.quality.reasons == ()
    assert score_of(face) > 0.9


@pytest.mark.parametrize("change", [blur, cover_the_lower_half, pixelate])
def test_a_worse_photograph_has_a_lower_score_and_a_reason(
    judge: Callable[[Pillow.Image], Face], portrait: Pillow.Image, change: Change
) -> None:
    worse = judge(change(portrait))
    assert worse.quality is not None
    assert score_of(worse) < 0.5 < score_of(judge(portrait))
    assert worse.quality.reasons


def test_a_blurred_face_is_not_sharp(judge: Callable[[Pillow.Image], Face], portrait: Pillow.Image) -> None:
    worse = judge(blur(portrait))
    assert worse.quality is not None
    assert QualityReason.BLURRED in worse.quality.reasons
    assert measures_of(worse).sharpness < measures_of(judge(portrait)).sharpness / 3


def test_a_dark_photograph_is_dark_and_as_sharp_as_before(
    judge: Callable[[Pillow.Image], Face], portrait: Pillow.Image
) -> None:
    dark = judge(ImageEnhance.Brightness(portrait).enhance(0.25))
    assert dark.quality is not None
    assert QualityReason.DARK in dark.quality.reasons
    assert QualityReason.BLURRED not in dark.quality.reasons
    assert measures_of(dark).brightness == pytest.approx(measures_of(judge(portrait)).brightness / 4, abs=0.02)


def test_the_mirror_image_has_the_opposite_yaw_and_roll(judge: Callable[[Pillow.Image], Face], obama2: bytes) -> None:
    photograph = Pillow.open(io.BytesIO(obama2)).convert("RGB")
    face, mirrored = measures_of(judge(photograph)), measures_of(judge(ImageOps.mirror(photograph)))
    assert face.yaw_deg < -8
    assert mirrored.yaw_deg == pytest.approx(-face.yaw_deg, abs=5)
    assert mirrored.roll_deg == pytest.approx(-face.roll_deg, abs=3)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_photograph_has_the_same_quality(
    judge: Callable[[Pillow.Image], Face], portrait: Pillow.Image, degrees: int
) -> None:
    upright, turned = judge(portrait), judge(portrait.rotate(degrees, expand=True))
    assert score_of(turned) == pytest.approx(score_of(upright), abs=0.05)
    assert measures_of(turned).face_width_px == pytest.approx(measures_of(upright).face_width_px, rel=0.15)
    assert measures_of(turned).yaw_deg == pytest.approx(measures_of(upright).yaw_deg, abs=5)


def test_half_of_a_face_beyond_the_edge_is_half_inside() -> None:
    image = Image(np.full((100, 100, 3), 128, np.uint8))
    measures = measure(image, frontal_face(80, 30, 40, 40))
    assert measures.share_inside == pytest.approx(0.5)


def test_an_image_of_one_colour_has_neither_contrast_nor_sharpness() -> None:
    image = Image(np.zeros((100, 100, 3), np.uint8))
    measures = measure(image, frontal_face(30, 30, 40, 40))
    assert (measures.contrast, measures.sharpness, measures.brightness) == (0.0, 0.0, 0.0)


def test_landmarks_at_one_point_are_measured_too() -> None:
    face = replace(frontal_face(50, 50, 40, 40), landmarks=np.full((5, 2), 50, np.float32))
    measures = measure(Image(np.zeros((100, 100, 3), np.uint8)), face)
    assert abs(measures.yaw_deg) <= 90


def test_a_model_without_weights_gives_measures_and_no_score() -> None:
    small = frontal_face(50, 50, 20, 20)
    measures = measure(Image(np.zeros((100, 100, 3), np.uint8)), small)
    (face,) = judge_faces(None, [small], [measures], np.zeros((1, 128), np.float32))
    assert face.quality is not None
    assert face.quality.score is None
    assert QualityReason.TOO_SMALL in face.quality.reasons


def test_weights_for_another_dimension_are_refused(embedder: OnnxEmbedder) -> None:
    weights = QualityWeights(
        detection_score=1.0, sharpness=1.0, embedding=(0.5,), intercept=0.0, minimum=0.5, fitted_on="nothing"
    )
    fields = embedder.card.model_dump() | {"quality": weights.model_dump()}
    with pytest.raises(ValueError, match="one number for each dimension"):
        EmbedderCard.model_validate(fields)
