import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from models.errors import DatasetError
from models.preparation.croppings import CROPPINGS, CropName, Cropping, encode, keep, template_in
from models.preparation.shards import CANVAS, read_pixels
from service.alignment import Aligner
from service.card import BoxCrop, EmbedderCard, FivePoint
from service.domain import Box, Face, Image, Pixels
from service.errors import NoFace, UnreadableImage
from service.model_file import open_model
from service.pipeline import PipelineOptions, main_face, open_sight
from tests.pictures import meadow, png


@pytest.fixture(scope="module")
def card(options: PipelineOptions) -> EmbedderCard:
    return open_model(options.embedder.path, EmbedderCard, "cpu", 1).card


@pytest.fixture(scope="module")
def astronaut(photographs: Path) -> bytes:
    return (photographs / "eileen_collins" / "astronaut.png").read_bytes()


def _open(name: CropName, options: PipelineOptions, card: EmbedderCard, canvas_px: int = 128) -> Cropping:
    return CROPPINGS[name](options, card, canvas_px)


def _turned(photograph: bytes, degrees: float) -> bytes:
    return png(
        np.asarray(Pillow.open(io.BytesIO(photograph)).convert("RGB").rotate(degrees, Pillow.Resampling.BICUBIC))
    )


def _difference(one: Pixels, other: Pixels) -> float:
    """Mean of the absolute differences, in levels of 255."""
    return float(np.abs(one.astype(int) - other).mean())


def test_a_five_point_canvas_holds_what_the_service_would_embed(
    options: PipelineOptions, card: EmbedderCard, astronaut: bytes
) -> None:
    cut = _open("five_point", options, card).cut(astronaut)

    (served,) = open_sight(options, card).look(astronaut, main_face).crops
    assert np.array_equal(cut.crop[0], served)
    assert cut.canvas.shape == (128, 128, 3)
    assert _difference(cut.canvas[8:120, 8:120], served) < 1


def test_a_canvas_may_have_another_size(options: PipelineOptions, card: EmbedderCard, astronaut: bytes) -> None:
    cropping = _open("five_point", options, card, canvas_px=64)

    cut = cropping.cut(astronaut)

    whole = _open("five_point", options, card).cut(astronaut).canvas
    assert cropping.alignment == FivePoint(view=CANVAS.view, height=64, width=64)
    assert _difference(cut.canvas, np.asarray(cv2.resize(whole, (64, 64), interpolation=cv2.INTER_AREA))) < 4


@pytest.mark.parametrize("degrees", [0, 20])
def test_a_box_is_scaled_and_moved_and_never_turned(
    options: PipelineOptions, card: EmbedderCard, astronaut: bytes, degrees: float
) -> None:
    photograph = _turned(astronaut, degrees)

    cut = _open("box", options, card).cut(photograph)

    sight = open_sight(options, card)
    pixels = np.asarray(Pillow.open(io.BytesIO(photograph)))
    (face,) = main_face(sight.detector.detect([Image(pixels)])[0], Image(pixels))
    box, upright = face.box, Aligner(BoxCrop(margin=0, height=128, width=128)).align(Image(pixels), [face])[0]
    left, top = box.x + 0.5, box.y + 0.5  # Pillow counts from the picture's edge
    edges = (left, top, left + box.width, top + box.height)
    plain = Pillow.fromarray(pixels).resize((128, 128), Pillow.Resampling.BILINEAR, edges)
    assert _difference(cut.canvas, np.asarray(plain)) < 3
    assert degrees == 0 or _difference(cut.canvas, upright) > 10


def test_a_box_is_judged_by_the_crop_that_is_served(
    options: PipelineOptions, card: EmbedderCard, astronaut: bytes
) -> None:
    cut = _open("box", options, card).cut(astronaut)

    assert np.array_equal(cut.crop, open_sight(options, card).look(astronaut, main_face).crops)


def test_an_aligned_canvas_is_left_as_it_is(options: PipelineOptions, card: EmbedderCard) -> None:
    canvas = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)

    cut = _open("aligned", options, card).cut(png(canvas))

    assert np.array_equal(cut.canvas, canvas)
    assert np.array_equal(cut.crop[0], canvas[8:120, 8:120])
    assert cut.stored.data == png(canvas)


def test_a_picture_of_another_size_is_no_canvas(options: PipelineOptions, card: EmbedderCard) -> None:
    with pytest.raises(DatasetError, match=r"is 100 x 128 pixels, and canvases are 128 x 128\. .* five_point"):
        _open("aligned", options, card).cut(meadow(100, 128))


def test_aligned_canvases_are_not_judged_by_a_model_of_boxes(models_dir: Path, options: PipelineOptions) -> None:
    card = open_model(models_dir / "facenet.onnx", EmbedderCard, "cpu", 1).card

    with pytest.raises(DatasetError, match="facenet wants a box, which aligned canvases do not show"):
        _open("aligned", options, card)


@pytest.mark.parametrize("name", ["five_point", "box"])
def test_a_photograph_without_a_face_has_no_canvas(
    options: PipelineOptions, card: EmbedderCard, name: CropName
) -> None:
    with pytest.raises(NoFace):
        _open(name, options, card).cut(meadow())


@pytest.mark.parametrize("name", CROPPINGS)
def test_a_broken_file_has_no_canvas(options: PipelineOptions, card: EmbedderCard, name: CropName) -> None:
    with pytest.raises(UnreadableImage):
        _open(name, options, card).cut(meadow()[:200])


@pytest.mark.parametrize(
    "alignment", [CANVAS, FivePoint(view=(0, 0, 112, 112), height=224, width=224)], ids=["canvas", "nn2"]
)
def test_a_canvas_aligned_by_its_own_template_is_itself(alignment: FivePoint) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (alignment.height, alignment.width, 3), np.uint8)

    (crop,) = Aligner(alignment).align(Image(pixels), [Face(Box(0, 0, 1, 1), template_in(alignment), 1.0)])

    assert np.array_equal(crop, pixels)


def test_a_canvas_is_encoded_without_loss() -> None:
    canvas = np.random.default_rng(0).integers(0, 256, (48, 48, 3), np.uint8)

    stored = encode(canvas)

    assert stored.suffix == "webp"
    assert np.array_equal(read_pixels(stored.data), canvas)


@pytest.mark.parametrize(("form", "suffix"), [("WEBP", "webp"), ("PNG", "png"), ("JPEG", "jpg")])
def test_a_file_is_kept_where_a_reader_sees_the_same_in_it(astronaut: bytes, form: str, suffix: str) -> None:
    file = io.BytesIO()
    Pillow.open(io.BytesIO(astronaut)).save(file, form)
    canvas = np.asarray(Pillow.open(file))

    stored = keep(file.getvalue(), canvas)

    assert stored.suffix == suffix
    assert stored.data == file.getvalue()


def test_a_file_is_encoded_anew_where_a_reader_would_see_something_else() -> None:
    half = Pillow.new("RGBA", (16, 16), (200, 100, 0, 128))
    file = io.BytesIO()
    half.save(file, "PNG")
    on_white = np.full((16, 16, 3), (227, 177, 127), np.uint8)

    stored = keep(file.getvalue(), on_white)

    assert stored.suffix == "webp"
    assert np.array_equal(read_pixels(stored.data), on_white)


def test_a_file_that_only_pillow_can_read_is_encoded_anew() -> None:
    canvas = np.zeros((16, 16, 3), np.uint8)

    stored = keep(b"RIFF, and nothing more", canvas)

    assert np.array_equal(read_pixels(stored.data), canvas)
