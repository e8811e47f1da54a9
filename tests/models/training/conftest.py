"""A small set of faces: six people with eight canvases each. A network can learn their colours and patterns."""

import cv2
import numpy as np
import pytest

from models.training.data.face_set import FaceSet

PEOPLE = 6
FACES_PER_PERSON = 8


def _canvas(person: int, rng: np.random.Generator) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    coarse = np.random.default_rng(person).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    smooth = cv2.resize(coarse, (128, 128), interpolation=cv2.INTER_CUBIC).astype(np.float64)
    return np.clip(smooth + rng.normal(0, 12, smooth.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def faces() -> FaceSet:
    rng = np.random.default_rng(1)
    people = np.repeat(np.arange(PEOPLE), FACES_PER_PERSON)
    canvases = np.stack([_canvas(int(person), rng) for person in people])
    names = tuple(f"person{number}" for number in range(PEOPLE))
    return FaceSet(canvases, people, people % 2, names, ("one", "other"))
