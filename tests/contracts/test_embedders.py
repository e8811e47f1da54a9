"""What every embedder in the catalogue must do."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from service.domain.distances import squared_l2
from service.domain.face import Crops
from service.model_files.card import EmbedderCard
from service.model_files.execution.options import Execution
from service.model_files.model_file import open_model
from service.pipeline.embedders.base import Embedder
from service.pipeline.embedders.bound import BoundEmbedder
from service.pipeline.opening import open_embedder
from tests.support.golden import (
    EMBEDDERS,
    GOLDEN_FILE,
    PHOTOGRAPH,
    embed_golden_photograph,
    main_face_crops,
    pipeline_options,
)

FULL_BATCH = 16
TOLERANCE = 1e-5


@pytest.fixture(scope="module", params=EMBEDDERS)
def embedder_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=["plain", "bound"])
def embedder(models_dir: Path, embedder_name: str, request: pytest.FixtureRequest) -> Embedder:
    """Return the embedder of a CPU, and that of a GPU, with its buffers in the memory of the CPU."""
    if request.param == "bound":
        return BoundEmbedder(open_model(models_dir / f"{embedder_name}.onnx", EmbedderCard, Execution()), "cpu", 6)
    return open_embedder(pipeline_options(models_dir, embedder_name))


@pytest.fixture(scope="module")
def crops(models_dir: Path, photographs: Path, embedder_name: str) -> Crops:
    """Return a full batch: two crops of one man, one of another man, one of a woman; all mirrored; and all dark."""
    people = ("obama/obama.jpg", "obama/obama2.jpg", "biden/biden.jpg", PHOTOGRAPH)
    originals = main_face_crops(
        pipeline_options(models_dir, embedder_name), *(photographs / photograph for photograph in people)
    )
    with_mirrored = np.concatenate([originals, originals[:, :, ::-1]])
    return np.concatenate([with_mirrored, with_mirrored // 2])


def test_embeddings_have_the_dimension_of_the_card_and_length_1(embedder: Embedder, crops: Crops) -> None:
    embeddings = embedder.embed(crops)
    assert embeddings.shape == (FULL_BATCH, embedder.card.dimension)
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1.0, atol=1e-6)


def test_an_embedding_is_the_same_alone_and_in_a_full_batch(embedder: Embedder, crops: Crops) -> None:
    together = embedder.embed(crops)
    alone = np.concatenate([embedder.embed(crop[np.newaxis]) for crop in crops])
    np.testing.assert_allclose(together, alone, atol=TOLERANCE)


def test_faces_of_one_person_are_nearest(embedder: Embedder, crops: Crops) -> None:
    obama, obama2, biden, astronaut = embedder.embed(crops[:4])
    same_person = squared_l2(obama[np.newaxis], obama2[np.newaxis])[0, 0]
    other_people = squared_l2(np.stack([obama, obama2]), np.stack([biden, astronaut]))
    assert same_person < embedder.card.thresholds.verification < other_people.min()


@pytest.mark.parametrize("change", ["one pixel less", "no batch", "floats", "one channel"])
def test_crops_of_a_wrong_shape_or_type_are_refused(embedder: Embedder, crops: Crops, change: str) -> None:
    wrong_crops = {
        "one pixel less": crops[:, 1:],
        "no batch": crops[0],
        "floats": crops.astype(np.float32),
        "one channel": crops[..., :1],
    }[change]
    with pytest.raises(ValueError, match="takes crops of"):
        embedder.embed(wrong_crops)


def test_several_threads_can_embed_at_the_same_time(embedder: Embedder, crops: Crops) -> None:
    with ThreadPoolExecutor(4) as threads:
        by_threads = np.concatenate(list(threads.map(lambda crop: embedder.embed(crop[np.newaxis]), crops)))
    np.testing.assert_allclose(by_threads, embedder.embed(crops), atol=TOLERANCE)


def test_embeddings_are_the_golden_embeddings(models_dir: Path, photographs: Path, embedder_name: str) -> None:
    golden = json.loads(GOLDEN_FILE.read_text("utf-8"))
    expected = np.array(golden["embeddings"][embedder_name], np.float32)[np.newaxis]
    embedding = embed_golden_photograph(models_dir, photographs, embedder_name)
    assert squared_l2(embedding, expected)[0, 0] < golden["tolerance_sq_l2"], (
        f"if this change is intended, run: {golden['command']}"
    )
