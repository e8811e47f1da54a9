"""Images for requests: an image without a face, combined photographs, and their encodings."""

import base64
import io

import numpy as np
from PIL import Image


def png_without_face(width: int = 320, height: int = 240) -> bytes:
    """Return a PNG of a blue sky above green grass."""
    pixels = np.full((height, width, 3), (120, 180, 240), np.uint8)
    pixels[height // 2 :] = (60, 140, 50)
    return encode_png(pixels)


def encode_png(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    """Encode (h, w, 3) uint8 as a PNG."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def base64_image(photograph: bytes) -> dict[str, str]:
    """Return the photograph as an image of a JSON body."""
    return {"base64": base64.b64encode(photograph).decode()}


def place_side_by_side(*photographs: bytes) -> bytes:
    """Return a PNG of all photographs in one row, each 400 x 500 pixels."""
    parts = [
        np.asarray(Image.open(io.BytesIO(photograph)).convert("RGB").resize((400, 500))) for photograph in photographs
    ]
    return encode_png(np.concatenate(parts, axis=1))
