"""An album of small pictures, and an answer of POST /embed for it, with faces of made-up people."""

import io
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Route

from tests.support.made_up_people import make_people

FACES_IN_EACH, MANY_PEOPLE, FACES_OF_EACH = 4, 400, 5


def write_album(folder: Path) -> None:
    """Write as many pictures of one colour as 2,000 faces need."""
    folder.mkdir()
    for number in range(MANY_PEOPLE * FACES_OF_EACH // FACES_IN_EACH):
        colour = tuple(int(part) for part in np.random.default_rng(number).integers(40, 220, 3))
        picture = io.BytesIO()
        Image.new("RGB", (260, 80), colour).save(picture, "JPEG")
        (folder / f"{number:04}.jpg").write_bytes(picture.getvalue())


class MadeUpFaces:
    """Answers POST /embed with faces of made-up people, four in each photograph. No model would find them so fast.

    model: its name, id and dimension, as in an answer.
    """

    def __init__(self, model: dict[str, object]) -> None:
        self._model = model
        vectors = np.concatenate(list(make_people(MANY_PEOPLE, FACES_OF_EACH).values()))
        self._left = np.random.default_rng(0).permutation(vectors).tolist()

    def answer(self, route: Route) -> None:
        """Answer a call of the page."""
        images = (route.request.post_data_buffer or b"").count(b'name="images"')
        route.fulfill(json={"images": [self._image() for _ in range(images)], "model": self._model})

    def _image(self) -> dict[str, object]:
        return {"faces": [self._face(place) for place in range(FACES_IN_EACH)], "warnings": []}

    def _face(self, place: int) -> dict[str, object]:
        box = {"x": 10 + 60.0 * place, "y": 10.0, "width": 50.0, "height": 50.0}
        return {"box": box, "landmarks": None, "quality": None, "embedding": self._left.pop()}
