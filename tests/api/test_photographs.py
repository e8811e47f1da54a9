"""Unusual and damaged image files. Each is used, with a warning if it was changed, or refused with a clear error."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pillow_heif
import pytest
from PIL import Image

from tests.support.sample_images import png_without_face

pytestmark = pytest.mark.anyio

pillow_heif.register_heif_opener()  # to write the HEIC files of these tests

ORIENTATION = 0x0112
ROTATED_LEFT = 6


@pytest.fixture(scope="session")
def small_photograph(obama: bytes) -> Image.Image:
    photograph = Image.open(io.BytesIO(obama)).convert("RGB")
    photograph.thumbnail((400, 400))
    return photograph


def save_image(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


async def embed(client: httpx.AsyncClient, file: bytes) -> dict[str, Any]:
    answer = await client.post("/embed?include=embedding", files={"images": file})
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["images"][0])


def embedding(image: dict[str, Any]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    (face,) = image["faces"]
    return np.array(face["embedding"])


def warning_codes(image: dict[str, Any]) -> list[str]:
    return [warning["code"] for warning in image["warnings"]]


@pytest.mark.parametrize("kind", ["PNG", "BMP", "WEBP"])
async def test_an_embedding_is_the_same_in_every_lossless_format(
    client: httpx.AsyncClient, small_photograph: Image.Image, kind: str
) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    png_image = await embed(client, save_image(small_photograph, "PNG"))
    other_image = await embed(client, save_image(small_photograph, kind, **options))
    assert embedding(other_image) == pytest.approx(embedding(png_image), abs=1e-5)
    assert warning_codes(other_image) == []


@pytest.mark.parametrize(("kind", "mode"), [("JPEG", "CMYK"), ("PNG", "P"), ("PNG", "RGBA"), ("PNG", "LA")])
async def test_other_colour_modes_are_converted_with_a_warning(
    client: httpx.AsyncClient, small_photograph: Image.Image, kind: str, mode: str
) -> None:
    image = await embed(client, save_image(small_photograph.convert(mode), kind))
    assert len(image["faces"]) == 1
    assert warning_codes(image) == ["converted_colours"]
    assert image["warnings"][0]["detail"]


async def test_16_bit_colours_are_converted_with_a_warning(
    client: httpx.AsyncClient, small_photograph: Image.Image
) -> None:
    pixels_16_bit = np.asarray(small_photograph).astype(np.uint16)[:, :, ::-1] * 257
    image = await embed(client, cv2.imencode(".png", pixels_16_bit)[1].tobytes())
    assert len(image["faces"]) == 1
    assert warning_codes(image) == ["converted_colours"]


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
async def test_the_first_frame_of_an_animation_is_used_with_a_warning(
    client: httpx.AsyncClient, small_photograph: Image.Image, kind: str
) -> None:
    other_frames = [Image.new("RGB", small_photograph.size, colour) for colour in ("red", "green")]
    image = await embed(client, save_image(small_photograph, kind, save_all=True, append_images=other_frames))
    assert len(image["faces"]) == 1
    assert "first_frame_only" in warning_codes(image)


async def test_a_photograph_with_an_exif_orientation_is_rotated_upright(
    client: httpx.AsyncClient, small_photograph: Image.Image
) -> None:
    tags = Image.Exif()
    tags[ORIENTATION] = ROTATED_LEFT
    rotated = small_photograph.transpose(Image.Transpose.ROTATE_90)
    upright, with_orientation = [
        await embed(client, file)
        for file in (save_image(small_photograph, "PNG"), save_image(rotated, "PNG", exif=tags.tobytes()))
    ]
    assert with_orientation["faces"][0]["box"] == upright["faces"][0]["box"]


@pytest.mark.parametrize("kind", ["AVIF", "HEIF"])
async def test_the_formats_of_phones_are_accepted(
    client: httpx.AsyncClient, small_photograph: Image.Image, kind: str
) -> None:
    expected = embedding(await embed(client, save_image(small_photograph, "PNG")))
    image = await embed(client, save_image(small_photograph, kind, quality=90))
    assert np.sum((embedding(image) - expected) ** 2) < 0.1
    assert warning_codes(image) == []


async def test_a_jpeg_without_its_end_is_accepted_with_a_warning(client: httpx.AsyncClient, obama: bytes) -> None:
    whole, without_end = await embed(client, obama), await embed(client, obama[:-2])
    assert embedding(without_end) == pytest.approx(embedding(whole), abs=1e-5)
    assert warning_codes(without_end) == ["end_missing"]


async def test_a_photograph_that_is_upside_down_is_turned_with_a_warning(
    client: httpx.AsyncClient, small_photograph: Image.Image
) -> None:
    upright = await embed(client, save_image(small_photograph, "PNG"))
    turned = await embed(client, save_image(small_photograph.rotate(180), "PNG"))
    assert np.sum((embedding(turned) - embedding(upright)) ** 2) < 0.1
    assert abs(turned["faces"][0]["roll"]) > 170
    assert warning_codes(turned) == ["turned"]


async def test_an_image_of_two_pixels_has_no_face(client: httpx.AsyncClient) -> None:
    assert (await embed(client, png_without_face(1, 2)))["faces"] == []


async def test_twelve_faces_are_found_and_verify_uses_the_main_face(
    client: httpx.AsyncClient, small_photograph: Image.Image
) -> None:
    width, height = small_photograph.size
    collage = Image.new("RGB", (4 * width, 3 * height))
    for position in range(12):
        collage.paste(small_photograph, (position % 4 * width, position // 4 * height))
    file = save_image(collage, "PNG")
    assert len((await embed(client, file))["faces"]) == 12
    answer = (
        await client.post("/verify", files={"image_a": file, "image_b": save_image(small_photograph, "PNG")})
    ).json()
    assert (answer["verified"], answer["image_a"]["faces_found"]) == (True, 12)
    assert warning_codes(answer["image_a"]) == ["several_faces"]


def png_of_zeros(side_px: int) -> bytes:
    """Return a PNG of side_px x side_px pixels. The file is a thousand times smaller than the pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", side_px, side_px, 1, 0, 0, 0, 0)
    pixels = zlib.compress(bytes((side_px // 8 + 1) * side_px), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


async def test_an_image_that_is_too_large_is_refused_from_its_header(client: httpx.AsyncClient) -> None:
    file = png_of_zeros(20_000)
    assert len(file) < 100_000
    answer = await client.post("/embed", files={"images": file})
    assert (answer.status_code, answer.json()["code"]) == (422, "image_too_large")
    assert "20000 x 20000" in answer.json()["detail"]


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.99])
async def test_a_truncated_photograph_is_refused(client: httpx.AsyncClient, obama: bytes, share: float) -> None:
    truncated = obama[: int(len(obama) * share)]
    answer = await client.post("/identify", files={"image": ("cut.jpg", truncated)})
    assert (answer.status_code, answer.json()["code"]) == (422, "unreadable_image")


@pytest.mark.parametrize(
    "file", [b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.4", b"\x00" * 100, b"\x89PNG\r\n\x1a\n"]
)
async def test_a_file_that_is_not_an_image_is_refused(client: httpx.AsyncClient, file: bytes) -> None:
    answer = await client.post("/embed", files={"images": ("photograph.jpg", file, "image/jpeg")})
    assert (answer.status_code, answer.json()["code"]) == (422, "unreadable_image")
    assert answer.json()["image"] == "images[0]"


async def test_the_name_and_type_of_a_file_do_not_matter(client: httpx.AsyncClient, obama: bytes) -> None:
    files = {"images": ("../../etc/passwd\x00.exe", obama, "text/html")}
    assert (await client.post("/embed", files=files)).status_code == 200


async def test_all_photographs_of_a_person_are_enrolled(
    client: httpx.AsyncClient, collection: str, photographs: Path
) -> None:
    await client.put(f"{collection}/subjects/obama", json={})
    files = [("images", file.read_bytes()) for file in sorted((photographs / "obama").iterdir())]
    answer = await client.post(f"{collection}/subjects/obama/faces", files=files)
    assert {result["status"] for result in answer.json()["results"]} == {"enrolled"}
