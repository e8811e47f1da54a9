from pathlib import Path

import numpy as np
import pytest

from models.embedding import embed_files
from models.errors import DatasetError
from models.evaluation.crops import chunks, cut, embed
from service.pipeline import PipelineOptions, open_embedder, open_sight
from tests.pictures import meadow


def test_two_steps_give_what_the_pipeline_gives(options: PipelineOptions, photographs: Path) -> None:
    files = sorted(photographs.glob("*/*.*"))
    embedder = open_embedder(options)

    crops, rows = cut(open_sight(options, embedder.card), files, threads=2)
    embeddings = embed(embedder, crops, threads=2)

    expected, expected_rows = embed_files(options, files, lambda: None)
    assert rows == expected_rows
    np.testing.assert_allclose(embeddings, expected, atol=1e-5)


def test_files_without_a_face_are_left_out(options: PipelineOptions, photographs: Path, tmp_path: Path) -> None:
    empty = tmp_path / "meadow.png"
    empty.write_bytes(meadow())
    sight = open_sight(options, open_embedder(options).card)

    crops, rows = cut(sight, [empty, photographs / "biden" / "biden.jpg"], threads=2)
    nothing, nowhere = cut(sight, [empty], threads=1)

    assert (crops.shape, rows) == ((1, 112, 112, 3), [1])
    assert (nothing.shape, nowhere) == ((0, 112, 112, 3), [])
    assert embed(open_embedder(options), nothing, threads=1).shape == (0, 128)


@pytest.mark.parametrize("name", ["nowhere.jpg", "broken.jpg"])
def test_a_file_that_cannot_be_read_is_an_error(options: PipelineOptions, tmp_path: Path, name: str) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"not a photograph")

    with pytest.raises(DatasetError, match=f"{name} cannot be used"):
        cut(open_sight(options, open_embedder(options).card), [tmp_path / name], threads=1)


def test_chunks_are_all_the_files_in_their_order() -> None:
    files = [Path(f"{number}") for number in range(150)]

    parts = list(chunks(files))

    assert [len(part) for part in parts] == [64, 64, 22]
    assert [file for part in parts for file in part] == files
