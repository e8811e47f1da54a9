import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from models.errors import DatasetError
from models.preparation.cropping import CROPPINGS, CropName, Cropping, encode, keep_or_encode, template_on_canvas
from models.preparation.shards import CANVAS_ALIGNMENT, read_pixels
from service.domain.errors import NoFace, UnreadableImage
from service.domain.face import Box, Face
from service.domain.image import Image, Pixels
from service.model_files.card import BoxAlignment, EmbedderCard, FivePointAlignment
from service.model_files.execution.options import Execution
from service.model_files.model_file import open_model
from service.pipeline.alignment import Aligner
from service.pipeline.opening import PipelineOptions, open_face_extractor
from service.pipeline.selection import main_face
from tests.support.sample_images import encode_png, png_without_face


@pytest.fixture(scope="module")
def card(options: PipelineOptions) -> EmbedderCard:
    return open_model(options.embedder.path, EmbedderCard, Execution()).card


@pytest.fixture(scope="module")
def astronaut(photographs: Path) -> bytes:
    return (photographs / "eileen_collins" / "astronaut.png").read_bytes()


def _open(name: CropName, options: PipelineOptions, card: EmbedderCard, canvas_px: int = 128) -> Cropping:
    return CROPPINGS[name](options, card, canvas_px)


def _rotate(photograph: bytes, degrees: float) -> bytes:
    return encode_png(
        np.asarray(Pillow.open(io.BytesIO(photograph)).convert("RGB").rotate(degrees, Pillow.Resampling.BICUBIC))
    )


def _difference(left: Pixels, right: Pixels) -> float:
    """Return the mean of the absolute differences, in levels of 255."""
    return float(np.abs(left.astype(int) - right).mean())


def test_a_five_point_canvas_holds_the_crop_of_the_service(
    options: PipelineOptions, card: EmbedderCard, astronaut: bytes
) -> None:
    face = _open("five_point", options, card).cut(astronaut)

    (served,) = open_face_extractor(options, card).extract(astronaut, main_face).crops
    assert np.array_equal(face.crop[0], served)
    assert face.canvas.shape == (128, 128, 3)
    assert _difference(face.canvas[8:120, 8:120], served) < 1


def test_a_canvas_can_have_another_size(options: PipelineOptions, card: EmbedderCard, astronaut: bytes) -> None:
    cropping = _open("five_point", options, card, canvas_px=64)

    face = cropping.cut(astronaut)

    default = _open("five_point", options, card).cut(astronaut).canvas
    assert cropping.alignment == FivePointAlignment(view=CANVAS_ALIGNMENT.view, height=64, width=64)
    assert _difference(face.canvas, np.asarray(cv2.resize(default, (64, 64), interpolation=cv2.INTER_AREA))) < 4


@pytest.mark.parametrize("degrees", [0, 20])
def test_a_box_is_scaled_and_moved_and_never_rotated(
    options: PipelineOptions, card: EmbedderCard, astronaut: bytes, degrees: float
) -> None:
    photograph = _rotate(astronaut, degrees)

    face = _open("box", options, card).cut(photograph)

    extractor = open_face_extractor(options, card)
    pixels = np.asarray(Pillow.open(io.BytesIO(photograph)))
    (main,) = main_face(extractor.find_faces(Image(pixels)), Image(pixels))
    box, upright = main.box, Aligner(BoxAlignment(margin=0, height=128, width=128)).align(Image(pixels), [main])[0]
    left, top = box.x + 0.5, box.y + 0.5  # Pillow counts from the edge of the picture
    edges = (left, top, left + box.width, top + box.height)
    resized = Pillow.fromarray(pixels).resize((128, 128), Pillow.Resampling.BILINEAR, edges)
    assert _difference(face.canvas, np.asarray(resized)) < 3
    assert degrees == 0 or _difference(face.canvas, upright) > 10


def test_the_labels_of_boxes_are_checked_with_the_crop_of_the_service(
    options: PipelineOptions, card: EmbedderCard, astronaut: bytes
) -> None:
    face = _open("box", options, card).cut(astronaut)

    assert np.array_equal(face.crop, open_face_extractor(options, card).extract(astronaut, main_face).crops)


def test_an_aligned_canvas_is_not_changed(options: PipelineOptions, card: EmbedderCard) -> None:
    canvas = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)

    face = _open("aligned", options, card).cut(encode_png(canvas))

    assert np.array_equal(face.canvas, canvas)
    assert np.array_equal(face.crop[0], canvas[8:120, 8:120])
    assert face.image.data == encode_png(canvas)


def test_a_picture_of_another_size_is_refused_as_a_canvas(options: PipelineOptions, card: EmbedderCard) -> None:
    with pytest.raises(DatasetError, match=r"is 100 x 128 pixels, and canvases are 128 x 128\. .* --crop five_point"):
        _open("aligned", options, card).cut(png_without_face(100, 128))


def test_the_labels_of_aligned_canvases_cannot_be_checked_by_a_model_that_takes_boxes(
    models_dir: Path, options: PipelineOptions
) -> None:
    card = open_model(models_dir / "facenet.onnx", EmbedderCard, Execution()).card

    with pytest.raises(DatasetError, match="facenet takes a box, and aligned canvases do not hold"):
        _open("aligned", options, card)


@pytest.mark.parametrize("name", ["five_point", "box"])
def test_a_photograph_without_a_face_is_refused(options: PipelineOptions, card: EmbedderCard, name: CropName) -> None:
    with pytest.raises(NoFace):
        _open(name, options, card).cut(png_without_face())


@pytest.mark.parametrize("name", CROPPINGS)
def test_a_damaged_file_is_refused(options: PipelineOptions, card: EmbedderCard, name: CropName) -> None:
    with pytest.raises(UnreadableImage):
        _open(name, options, card).cut(png_without_face()[:200])


@pytest.mark.parametrize(
    "alignment",
    [CANVAS_ALIGNMENT, FivePointAlignment(view=(0, 0, 112, 112), height=224, width=224)],
    ids=["canvas", "nn2"],
)
def test_alignment_by_the_template_on_the_canvas_changes_no_pixel(alignment: FivePointAlignment) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (alignment.height, alignment.width, 3), np.uint8)

    (crop,) = Aligner(alignment).align(Image(pixels), [Face(Box(0, 0, 1, 1), template_on_canvas(alignment), 1.0)])

    assert np.array_equal(crop, pixels)


def test_a_canvas_is_encoded_without_loss() -> None:
    canvas = np.random.default_rng(0).integers(0, 256, (48, 48, 3), np.uint8)

    image = encode(canvas)

    assert image.suffix == "webp"
    assert np.array_equal(read_pixels(image.data), canvas)


@pytest.mark.parametrize(("file_format", "suffix"), [("WEBP", "webp"), ("PNG", "png"), ("JPEG", "jpg")])
def test_a_file_is_kept_if_opencv_decodes_the_same_pixels(astronaut: bytes, file_format: str, suffix: str) -> None:
    file = io.BytesIO()
    Pillow.open(io.BytesIO(astronaut)).save(file, file_format)
    canvas = np.asarray(Pillow.open(file))

    image = keep_or_encode(file.getvalue(), canvas)

    assert image.suffix == suffix
    assert image.data == file.getvalue()


def test_a_file_is_encoded_again_if_opencv_decodes_other_pixels() -> None:
    half_transparent = Pillow.new("RGBA", (16, 16), (200, 100, 0, 128))
    file = io.BytesIO()
    half_transparent.save(file, "PNG")
    on_white = np.full((16, 16, 3), (227, 177, 127), np.uint8)

    image = keep_or_encode(file.getvalue(), on_white)

    assert image.suffix == "webp"
    assert np.array_equal(read_pixels(image.data), on_white)


def test_a_file_that_opencv_cannot_read_is_encoded_again() -> None:
    canvas = np.zeros((16, 16, 3), np.uint8)

    image = keep_or_encode(b"RIFF, and nothing more", canvas)

    assert np.array_equal(read_pixels(image.data), canvas)
