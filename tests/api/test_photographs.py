"""What cameras, editors and attackers make of a file: each is answered, with a warning or a clear refusal."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from PIL import Image

from tests.pictures import meadow

pytestmark = pytest.mark.anyio

ORIENTATION = 0x0112
TURNED_LEFT = 6


@pytest.fixture(scope="session")
def small(obama: bytes) -> Image.Image:
    photograph = Image.open(io.BytesIO(obama)).convert("RGB")
    photograph.thumbnail((400, 400))
    return photograph


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


async def embed(client: httpx.AsyncClient, file: bytes) -> dict[str, Any]:
    answer = await client.post("/embed?include=embedding", files={"images": file})
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["images"][0])


def vector(image: dict[str, Any]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    (face,) = image["faces"]
    return np.array(face["embedding"])


def codes(image: dict[str, Any]) -> list[str]:
    return [warning["code"] for warning in image["warnings"]]


@pytest.mark.parametrize("kind", ["PNG", "BMP", "WEBP"])
async def test_a_face_is_the_same_in_every_format_of_the_same_pixels(
    client: httpx.AsyncClient, small: Image.Image, kind: str
) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    as_png = await embed(client, saved(small, "PNG"))
    other = await embed(client, saved(small, kind, **options))
    assert vector(other) == pytest.approx(vector(as_png), abs=1e-5)
    assert codes(other) == []


@pytest.mark.parametrize(("kind", "mode"), [("JPEG", "CMYK"), ("PNG", "P"), ("PNG", "RGBA"), ("PNG", "LA")])
async def test_other_colours_are_converted_and_told(
    client: httpx.AsyncClient, small: Image.Image, kind: str, mode: str
) -> None:
    image = await embed(client, saved(small.convert(mode), kind))
    assert len(image["faces"]) == 1
    assert codes(image) == ["converted_colours"]
    assert image["warnings"][0]["detail"]


async def test_sixteen_bits_are_converted_and_told(client: httpx.AsyncClient, small: Image.Image) -> None:
    deep = np.asarray(small).astype(np.uint16)[:, :, ::-1] * 257
    image = await embed(client, cv2.imencode(".png", deep)[1].tobytes())
    assert len(image["faces"]) == 1
    assert codes(image) == ["converted_colours"]


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
async def test_the_first_picture_of_an_animation_is_used_and_told(
    client: httpx.AsyncClient, small: Image.Image, kind: str
) -> None:
    others = [Image.new("RGB", small.size, colour) for colour in ("red", "green")]
    image = await embed(client, saved(small, kind, save_all=True, append_images=others))
    assert len(image["faces"]) == 1
    assert "first_frame_only" in codes(image)


async def test_a_portrait_that_a_camera_stored_turned_is_upright(client: httpx.AsyncClient, small: Image.Image) -> None:
    tags = Image.Exif()
    tags[ORIENTATION] = TURNED_LEFT
    turned = small.transpose(Image.Transpose.ROTATE_90)
    upright, stored = [
        await embed(client, file) for file in (saved(small, "PNG"), saved(turned, "PNG", exif=tags.tobytes()))
    ]
    assert stored["faces"][0]["box"] == upright["faces"][0]["box"]


async def test_one_pixel_shows_nobody(client: httpx.AsyncClient) -> None:
    assert (await embed(client, meadow(1, 2)))["faces"] == []


async def test_twelve_faces_are_twelve_and_the_main_one_is_used(client: httpx.AsyncClient, small: Image.Image) -> None:
    width, height = small.size
    crowd = Image.new("RGB", (4 * width, 3 * height))
    for place in range(12):
        crowd.paste(small, (place % 4 * width, place // 4 * height))
    file = saved(crowd, "PNG")
    assert len((await embed(client, file))["faces"]) == 12
    answer = (await client.post("/verify", files={"image_a": file, "image_b": saved(small, "PNG")})).json()
    assert (answer["verified"], answer["image_a"]["faces_found"]) == (True, 12)
    assert codes(answer["image_a"]) == ["several_faces"]


def png_of_zeros(side: int) -> bytes:
    """A picture of side x side pixels that is a thousand times smaller as a file."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    pixels = zlib.compress(bytes((side // 8 + 1) * side), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


async def test_a_picture_that_is_too_large_is_refused_from_its_header(client: httpx.AsyncClient) -> None:
    file = png_of_zeros(20_000)
    assert len(file) < 100_000
    answer = await client.post("/embed", files={"images": file})
    assert (answer.status_code, answer.json()["code"]) == (422, "image_too_large")
    assert "20000 x 20000" in answer.json()["detail"]


@pytest.mark.parametrize("part", [0.0, 0.001, 0.5, 0.99])
async def test_a_photograph_that_is_cut_off_is_refused(client: httpx.AsyncClient, obama: bytes, part: float) -> None:
    cut = obama[: int(len(obama) * part)]
    answer = await client.post("/identify", files={"image": ("cut.jpg", cut)})
    assert (answer.status_code, answer.json()["code"]) == (422, "unreadable_image")


@pytest.mark.parametrize(
    "file", [b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.4", b"\x00" * 100, b"\x89PNG\r\n\x1a\n"]
)
async def test_what_is_no_photograph_is_refused(client: httpx.AsyncClient, file: bytes) -> None:
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
    assert {one["status"] for one in answer.json()["results"]} == {"enrolled"}
