"""Pictures without a face, and how photographs are sent."""

import base64
import io

import numpy as np
from PIL import Image


def meadow(width: int = 320, height: int = 240) -> bytes:
    """A PNG of sky and grass."""
    pixels = np.full((height, width, 3), (120, 180, 240), np.uint8)
    pixels[height // 2 :] = (60, 140, 50)
    return png(pixels)


def png(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    """(h, w, 3) uint8 as a file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def as_json(photograph: bytes) -> dict[str, str]:
    """A photograph in a JSON body."""
    return {"base64": base64.b64encode(photograph).decode()}


def side_by_side(*photographs: bytes) -> bytes:
    """One photograph that shows them all, each 400 x 500 pixels."""
    parts = [np.asarray(Image.open(io.BytesIO(one)).convert("RGB").resize((400, 500))) for one in photographs]
    return png(np.concatenate(parts, axis=1))
