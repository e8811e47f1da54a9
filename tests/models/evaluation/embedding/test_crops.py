from pathlib import Path

import numpy as np
import pytest

from models.errors import DatasetError
from models.evaluation.embedding.crops import chunks, cut_main_faces, embed_crops
from models.evaluation.embedding.files import embed_files
from service.pipeline.opening import PipelineOptions, open_embedder, open_face_extractor
from tests.support.sample_images import png_without_face

pytestmark = pytest.mark.slow


def test_crops_in_two_steps_have_the_embeddings_of_the_pipeline(options: PipelineOptions, photographs: Path) -> None:
    files = sorted(photographs.glob("*/*.*"))
    embedder = open_embedder(options)

    crops, rows = cut_main_faces(open_face_extractor(options, embedder.card), files, threads=2)
    embeddings = embed_crops(embedder, crops, threads=2)

    expected, expected_rows = embed_files(options, files, lambda: None)
    assert rows == expected_rows
    np.testing.assert_allclose(embeddings, expected, atol=1e-5)


def test_files_without_a_face_are_left_out(options: PipelineOptions, photographs: Path, tmp_path: Path) -> None:
    without_face = tmp_path / "meadow.png"
    without_face.write_bytes(png_without_face())
    extractor = open_face_extractor(options, open_embedder(options).card)

    crops, rows = cut_main_faces(extractor, [without_face, photographs / "biden" / "biden.jpg"], threads=2)
    no_crops, no_rows = cut_main_faces(extractor, [without_face], threads=1)

    assert (crops.shape, rows) == ((1, 112, 112, 3), [1])
    assert (no_crops.shape, no_rows) == ((0, 112, 112, 3), [])
    assert embed_crops(open_embedder(options), no_crops, threads=1).shape == (0, 128)


@pytest.mark.parametrize("name", ["nowhere.jpg", "broken.jpg"])
def test_a_file_that_cannot_be_read_is_an_error(options: PipelineOptions, tmp_path: Path, name: str) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"not a photograph")

    with pytest.raises(DatasetError, match=f"{name} cannot be used"):
        cut_main_faces(open_face_extractor(options, open_embedder(options).card), [tmp_path / name], threads=1)


def test_chunks_are_all_files_in_order() -> None:
    files = [Path(f"{number}") for number in range(150)]

    parts = list(chunks(files))

    assert [len(part) for part in parts] == [64, 64, 22]
    assert [file for part in parts for file in part] == files
