"""A photograph can be a path, bytes, a file, an array or an image of Pillow."""

import base64
import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageOps

from facenet_client import EmbeddingImage, FaceImage, SubjectImage
from facenet_client.images import FILE_NAME, Image, image_fields, image_list, read_photograph

DATA = b"the bytes of a file"
ENROLLED = FaceImage(face="f", collection="staff")


def random_pixels(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def decode(data: bytes) -> NDArray[np.uint8]:
    with PillowImage.open(io.BytesIO(data)) as image:
        assert image.format == "PNG"
        return np.asarray(image)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, io.BytesIO])
def test_bytes_and_open_files_are_sent_as_they_are(kind: Any) -> None:
    assert read_photograph(kind(DATA)) == DATA


@pytest.mark.parametrize("kind", [str, Path])
def test_the_file_of_a_path_is_sent_as_it_is(tmp_path: Path, kind: Any) -> None:
    file = tmp_path / "ada.jpg"
    file.write_bytes(DATA)
    assert read_photograph(kind(file)) == DATA
    with file.open("rb") as opened:
        assert read_photograph(opened) == DATA


@pytest.mark.parametrize("shape", [(5, 7, 3), (5, 7, 4), (5, 7), (1, 1, 3)], ids=str)
def test_an_array_becomes_a_png_with_the_same_pixels(shape: tuple[int, ...]) -> None:
    pixels = random_pixels(*shape)
    assert np.array_equal(decode(read_photograph(pixels)), pixels)


def test_an_array_with_one_channel_is_grey() -> None:
    pixels = random_pixels(5, 7, 1)
    assert np.array_equal(decode(read_photograph(pixels)), pixels[:, :, 0])


@pytest.mark.parametrize("view", [np.s_[:, :, ::-1], np.s_[::-1], np.s_[::2, 1:4], np.s_[:, ::-3]], ids=str)
def test_an_array_may_be_a_view_of_another_one(view: Any) -> None:
    pixels = random_pixels(8, 9, 3)[view]
    assert np.array_equal(decode(read_photograph(pixels)), pixels)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((5, 7, 3), np.float32),
        np.zeros((5, 7, 3), np.uint16),
        np.zeros((3, 5, 7), np.uint8),
        np.zeros((2, 5, 7, 3), np.uint8),
        np.zeros(5, np.uint8),
        np.zeros((), np.uint8),
        np.zeros((0, 7, 3), np.uint8),
    ],
    ids=lambda pixels: f"{pixels.dtype}{pixels.shape}",
)
def test_another_array_is_refused_with_what_is_expected(pixels: NDArray[Any]) -> None:
    with pytest.raises(ValueError, match=r"uint8, and has the shape \(height, width, 3\) in the order RGB") as error:
        read_photograph(pixels)
    assert str(pixels.shape) in str(error.value)


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "CMYK", "RGBA", "1", "YCbCr"])
def test_an_image_of_pillow_becomes_an_rgb_png(mode: str) -> None:
    image = PillowImage.fromarray(random_pixels(5, 7, 3)).convert(mode)
    assert np.array_equal(decode(read_photograph(image)), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_of_pillow_is_turned_upright_and_its_exif_stays_here(orientation: int) -> None:
    """EXIF can say where a photograph was taken."""
    exif = PillowImage.Exif()
    exif[0x0112], exif[0x010F] = orientation, "the maker of the camera"
    file = io.BytesIO()
    PillowImage.fromarray(random_pixels(8, 16, 3)).save(file, "JPEG", exif=exif)
    with PillowImage.open(file) as image:
        data = read_photograph(image)
        assert np.array_equal(decode(data), np.asarray(ImageOps.exif_transpose(image)))
    assert b"maker" not in data


@pytest.mark.parametrize("wrong", [3, None, ["a.jpg", "b.jpg"], object()])
def test_something_else_is_a_type_error_that_lists_what_is_accepted(wrong: Any) -> None:
    with pytest.raises(TypeError, match="a path, bytes, a file opened with 'rb', an array of NumPy"):
        read_photograph(wrong)


def test_a_file_that_was_opened_as_text_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="'rb'"):
        read_photograph(io.StringIO("text"))  # type: ignore[arg-type]  # as a caller without types


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.jpg"):
        read_photograph(tmp_path / "none.jpg")


def test_photographs_are_sent_as_files_without_their_names(tmp_path: Path) -> None:
    file = tmp_path / "Ada Lovelace.jpg"
    file.write_bytes(DATA)
    part = (FILE_NAME, DATA)
    assert image_fields(image_a=file, image_b=DATA) == {"files": [("image_a", part), ("image_b", part)]}
    assert image_list([file, DATA]) == {"files": [("images", part), ("images", part)]}


@pytest.mark.parametrize(
    ("image", "body"),
    [
        (ENROLLED, {"face": "f", "collection": "staff"}),
        (SubjectImage(subject="ada", collection="staff"), {"subject": "ada", "collection": "staff"}),
        (EmbeddingImage(embedding=(0.6, 0.8), model="m"), {"embedding": (0.6, 0.8), "model": "m"}),
    ],
    ids=["a face", "a subject", "an embedding"],
)
def test_beside_what_is_enrolled_a_photograph_is_sent_in_base64(image: Image, body: dict[str, Any]) -> None:
    photograph = {"base64": base64.b64encode(DATA).decode()}
    assert image_fields(image_a=DATA, image_b=image) == {"json": {"image_a": photograph, "image_b": body}}
    assert image_list([image, DATA]) == {"json": {"images": [body, photograph]}}


def test_a_request_needs_an_image() -> None:
    with pytest.raises(ValueError, match="at least one"):
        image_list([])


def test_numpy_and_pillow_are_not_imported() -> None:
    code = "import sys, facenet_client; print(sorted({'numpy', 'PIL', 'service'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout == "[]\n"
