import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from models.errors import DatasetError
from models.evaluation.data.pairs import read_pair_lists
from models.evaluation.embedding.centre import embed_centres, find_average_face
from service.domain.image import Image
from service.model_files.card import BoxAlignment, FivePointAlignment
from service.pipeline.alignment import ARCFACE_TEMPLATE, Aligner, similarity
from service.pipeline.opening import PipelineOptions, open_embedder, open_face_extractor
from service.pipeline.selection import main_face
from tests.support.sample_images import encode_png

pytestmark = pytest.mark.slow


def _striped() -> Image:
    """Return an image of 250 x 250 pixels. The red value of a pixel is its column, the green value is its row."""
    rows, columns = np.mgrid[0:250, 0:250].astype(np.uint8)
    return Image(np.stack([columns, rows, np.zeros_like(rows)], axis=-1))


def test_the_crop_of_a_five_point_model_is_the_square_of_132_pixels() -> None:
    image = _striped()
    faces = find_average_face(image)

    (crop,) = Aligner(FivePointAlignment(view=(0, 0, 112, 112), height=132, width=132)).align(image, faces)

    np.testing.assert_allclose(crop, image.pixels[51 : 51 + 132, 60 : 60 + 132], atol=1)


def test_the_crop_of_a_box_model_is_the_median_box_with_its_margin() -> None:
    image = _striped()
    faces = find_average_face(image)

    (crop,) = Aligner(BoxAlignment(margin=0.0, height=160, width=160)).align(image, faces)

    assert crop[80, :, 0].astype(int)[[0, -1]] == pytest.approx([79, 172], abs=1.5)
    assert crop[:, 80, 1].astype(int)[[0, -1]] == pytest.approx([67, 189], abs=1.5)


def _square(photograph: Path, file: Path) -> Path:
    """Write the photograph at the size of the photographs of LFW."""
    picture = Pillow.open(io.BytesIO(photograph.read_bytes())).convert("RGB").resize((250, 250))
    file.write_bytes(encode_png(np.asarray(picture)))
    return file


def test_a_photograph_without_a_face_is_embedded_too(
    options: PipelineOptions, photographs: Path, tmp_path: Path
) -> None:
    biden = _square(photographs / "biden" / "biden.jpg", tmp_path / "biden.png")
    grey = tmp_path / "grey.png"
    grey.write_bytes(encode_png(np.full((250, 250, 3), 128, np.uint8)))
    done: list[None] = []

    embeddings, rows = embed_centres(options, [biden, grey, biden], lambda: done.append(None))

    assert (rows, len(done)) == ([0, 1, 2], 3)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(embeddings[0], embeddings[2], atol=1e-5)


def test_a_photograph_of_another_size_is_refused(options: PipelineOptions, photographs: Path) -> None:
    with pytest.raises(DatasetError, match=r"for LFW's own photographs of 250 x 250 pixels, .*\. Use --crop aligned"):
        embed_centres(options, [photographs / "obama" / "obama.jpg"], lambda: None)


def test_a_photograph_that_cannot_be_read_is_refused(options: PipelineOptions, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"nowhere\.jpg cannot be used"):
        embed_centres(options, [tmp_path / "nowhere.jpg"], lambda: None)


@pytest.mark.lfw
def test_faces_of_lfw_are_where_the_square_is(options: PipelineOptions, lfw: Path) -> None:
    in_pairs = set(read_pair_lists(lfw / "pairs.txt").images)
    photographs = [
        file for file in sorted((lfw / "images").glob("*/*.jpg")) if file.relative_to(lfw / "images") not in in_pairs
    ]
    extractor = open_face_extractor(options, open_embedder(options).card)

    faces = [extractor.extract(file.read_bytes(), main_face).faces[0] for file in photographs[::80]]

    (average,) = find_average_face(_striped())
    transforms = np.array([similarity(face.landmarks, ARCFACE_TEMPLATE) for face in faces])
    boxes = np.array([(face.box.x, face.box.y, face.box.width, face.box.height) for face in faces])
    box = (average.box.x, average.box.y, average.box.width, average.box.height)
    points = np.mean([face.landmarks for face in faces], axis=(0, 1))
    assert np.median(np.hypot(transforms[:, 0, 0], transforms[:, 1, 0])) == pytest.approx(112 / 132, abs=0.03)
    assert points == pytest.approx(average.landmarks.mean(axis=0), abs=2)
    assert np.median(boxes, axis=0) == pytest.approx(box, abs=3)
