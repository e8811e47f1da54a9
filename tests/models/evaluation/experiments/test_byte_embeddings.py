from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.errors import DatasetError
from models.evaluation.data.pairs import PairList
from models.evaluation.experiments.byte_embeddings import (
    MAX_BYTE,
    compare_formats,
    evaluate_byte_embeddings,
    from_bytes,
    to_bytes,
)
from models.evaluation.reports.report import to_png
from service.domain.distances import FACENET_THRESHOLD_SQ_L2, unit
from service.domain.embedding import Embeddings
from service.pipeline.opening import PipelineOptions

pytestmark = pytest.mark.slow


def _embeddings(count: int = 50, dimension: int = 128) -> Embeddings:
    return unit(np.random.default_rng(0).normal(size=(count, dimension)).astype(np.float32))


def test_the_greatest_coordinate_becomes_127_and_the_others_keep_their_ratio_to_it() -> None:
    embeddings = _embeddings()

    codes = to_bytes(embeddings)

    assert codes.dtype == np.int8
    for row, code in zip(embeddings.tolist(), codes.tolist(), strict=True):
        greatest = max(abs(number) for number in row)
        assert np.abs(np.array(code) - np.array(row) * 127 / greatest).max() < 0.5001
        assert max(abs(number) for number in code) == 127


def test_d_coordinates_take_d_bytes_and_become_unit_vectors_again() -> None:
    embeddings = _embeddings(dimension=96)

    codes = to_bytes(embeddings)

    assert codes.nbytes == 50 * 96
    np.testing.assert_allclose(np.linalg.norm(from_bytes(codes), axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(from_bytes(codes), embeddings, atol=2e-3)


def test_a_direction_of_whole_numbers_up_to_127_is_kept_exactly() -> None:
    embeddings = unit(np.array([[127, -3, 0], [-64, 127, 1]], np.float32))

    np.testing.assert_allclose(from_bytes(to_bytes(embeddings)), embeddings, atol=1e-7)


def test_float32_and_bytes_are_measured_on_the_same_pairs(pair_list: PairList) -> None:
    embeddings = unit(np.array([[0, 1, 0.003], [1, 0.1, 0], [1, 0.104, 0]], np.float32))

    measured = compare_formats(embeddings, pair_list)

    exact = pair_list.compare(embeddings)
    rounded = pair_list.compare(from_bytes(to_bytes(embeddings)))
    assert measured.greatest_change == np.abs(rounded.distances - exact.distances).max() > 0
    assert measured.numbers()["accuracy"] == {"float32": 1.0, "bytes": 1.0}
    assert measured.numbers()["val_at_fmr_1e-3"] == {"float32": 1.0, "bytes": 1.0}
    assert measured.rows()[1] == ("bytes a face", "12", "3")
    assert to_png(measured.draw()).startswith(b"\x89PNG")


def test_real_photographs_are_decided_correctly_in_bytes(
    options: PipelineOptions, images: Path, pair_list: PairList
) -> None:
    done: list[None] = []

    measured = evaluate_byte_embeddings(options, images, pair_list, lambda: done.append(None))

    assert len(done) == 3
    assert (measured.rounded.distances < FACENET_THRESHOLD_SQ_L2).tolist() == pair_list.same.tolist()
    assert 0 < measured.greatest_change < 0.02


def test_a_list_of_one_fold_is_refused(options: PipelineOptions, images: Path, pair_list: PairList) -> None:
    with pytest.raises(DatasetError, match="The list has one fold"):
        evaluate_byte_embeddings(options, images, replace(pair_list, folds=np.zeros(4, np.int64)), lambda: None)


def test_bytes_stay_within_the_range_of_int8() -> None:
    assert np.abs(to_bytes(_embeddings(500)).astype(int)).max() == MAX_BYTE
