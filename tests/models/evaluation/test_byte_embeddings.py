from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.errors import DatasetError
from models.evaluation import byte_embeddings, lfw
from models.evaluation.byte_embeddings import compare, from_bytes, to_bytes
from models.evaluation.pairs import Pairs
from models.evaluation.report import png
from service.distances import unit
from service.domain import Embeddings
from service.pipeline import PipelineOptions


def _embeddings(count: int = 50, dimension: int = 128) -> Embeddings:
    return unit(np.random.default_rng(0).normal(size=(count, dimension)).astype(np.float32))


def test_the_greatest_coordinate_is_127_and_the_others_are_rounded_to_it() -> None:
    embeddings = _embeddings()

    codes = to_bytes(embeddings)

    assert codes.dtype == np.int8
    for row, code in zip(embeddings.tolist(), codes.tolist(), strict=True):
        greatest = max(abs(one) for one in row)
        assert np.abs(np.array(code) - np.array(row) * 127 / greatest).max() < 0.5001
        assert max(abs(one) for one in code) == 127


def test_d_coordinates_take_d_bytes_and_come_back_as_unit_vectors() -> None:
    embeddings = _embeddings(dimension=96)

    codes = to_bytes(embeddings)

    assert codes.nbytes == 50 * 96
    np.testing.assert_allclose(np.linalg.norm(from_bytes(codes), axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(from_bytes(codes), embeddings, atol=2e-3)


def test_a_direction_that_bytes_can_say_is_kept_exactly() -> None:
    embeddings = unit(np.array([[127, -3, 0], [-64, 127, 1]], np.float32))

    np.testing.assert_allclose(from_bytes(to_bytes(embeddings)), embeddings, atol=1e-7)


def test_both_ways_are_measured_side_by_side(pairs: Pairs) -> None:
    embeddings = unit(np.array([[0, 1, 0.003], [1, 0.1, 0], [1, 0.104, 0]], np.float32))

    measured = compare(embeddings, pairs)

    exact = lfw.pair_distances(embeddings, pairs)
    rounded = lfw.pair_distances(from_bytes(to_bytes(embeddings)), pairs)
    assert measured.greatest_change == np.abs(rounded - exact).max() > 0
    assert measured.figures()["accuracy"] == {"float32": 1.0, "bytes": 1.0}
    assert measured.figures()["val_at_far_1e-3"] == {"float32": 1.0, "bytes": 1.0}
    assert measured.rows()[1] == ("bytes a face", "12", "3")
    assert png(measured.draw()).startswith(b"\x89PNG")


def test_real_photographs_are_told_apart_in_bytes(options: PipelineOptions, images: Path, pairs: Pairs) -> None:
    done: list[None] = []

    measured = byte_embeddings.evaluate(options, images, pairs, lambda: done.append(None))

    assert len(done) == 3
    assert (measured.rounded < 1.242).tolist() == pairs.same.tolist()
    assert 0 < measured.greatest_change < 0.02


def test_a_list_of_one_fold_is_refused(options: PipelineOptions, images: Path, pairs: Pairs) -> None:
    with pytest.raises(DatasetError, match="The list has one fold"):
        byte_embeddings.evaluate(options, images, replace(pairs, folds=np.zeros(4, np.int64)), lambda: None)


def test_bytes_stay_within_the_range_of_int8() -> None:
    assert np.abs(to_bytes(_embeddings(500)).astype(int)).max() == byte_embeddings.GREATEST
