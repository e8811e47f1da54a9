"""What every embedder of the zoo must do."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from service.distances import squared_l2
from service.domain import Crops
from service.embedders.base import Embedder
from service.pipeline import open_embedder
from tests.golden import EMBEDDERS, GOLDEN, PHOTOGRAPH, embedding, main_crops, pipeline_options

FULL_BATCH = 16
SAME_WITHIN = 1e-5


@pytest.fixture(scope="module", params=EMBEDDERS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def embedder(models_dir: Path, name: str) -> Embedder:
    return open_embedder(pipeline_options(models_dir, name))


@pytest.fixture(scope="module")
def crops(models_dir: Path, photographs: Path, name: str) -> Crops:
    """A full batch: two photographs of one man, one of another, one of a woman; then mirrored, then dark."""
    people = ("obama/obama.jpg", "obama/obama2.jpg", "biden/biden.jpg", PHOTOGRAPH)
    four = main_crops(pipeline_options(models_dir, name), *(photographs / one for one in people))
    eight = np.concatenate([four, four[:, :, ::-1]])
    return np.concatenate([eight, eight // 2])


def test_embeddings_have_the_card_s_dimension_and_length_1(embedder: Embedder, crops: Crops) -> None:
    embeddings = embedder.embed(crops)
    assert embeddings.shape == (FULL_BATCH, embedder.card.dimension)
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1.0, atol=1e-6)


def test_a_face_is_the_same_alone_and_in_a_full_batch(embedder: Embedder, crops: Crops) -> None:
    together = embedder.embed(crops)
    alone = np.concatenate([embedder.embed(crop[np.newaxis]) for crop in crops])
    np.testing.assert_allclose(together, alone, atol=SAME_WITHIN)


def test_faces_of_one_person_are_nearest(embedder: Embedder, crops: Crops) -> None:
    obama, obama2, biden, astronaut = embedder.embed(crops[:4])
    same = squared_l2(obama[np.newaxis], obama2[np.newaxis])[0, 0]
    others = squared_l2(np.stack([obama, obama2]), np.stack([biden, astronaut]))
    assert same < embedder.card.thresholds.verification < others.min()


@pytest.mark.parametrize("change", ["one pixel less", "no batch", "floats", "one channel"])
def test_crops_that_were_cut_for_another_model_are_refused(embedder: Embedder, crops: Crops, change: str) -> None:
    wrong = {
        "one pixel less": crops[:, 1:],
        "no batch": crops[0],
        "floats": crops.astype(np.float32),
        "one channel": crops[..., :1],
    }[change]
    with pytest.raises(ValueError, match="takes crops of"):
        embedder.embed(wrong)


def test_threads_may_embed_side_by_side(embedder: Embedder, crops: Crops) -> None:
    with ThreadPoolExecutor(4) as threads:
        side_by_side = np.concatenate(list(threads.map(lambda crop: embedder.embed(crop[np.newaxis]), crops)))
    np.testing.assert_allclose(side_by_side, embedder.embed(crops), atol=SAME_WITHIN)


def test_embeddings_are_what_they_were(models_dir: Path, photographs: Path, name: str) -> None:
    golden = json.loads(GOLDEN.read_text("utf-8"))
    expected = np.array(golden["embeddings"][name], np.float32)[np.newaxis]
    found = embedding(models_dir, photographs, name)
    assert squared_l2(found, expected)[0, 0] < golden["tolerance_sq_l2"], f"was it meant? {golden['command']}"
