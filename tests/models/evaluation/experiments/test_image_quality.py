from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.errors import DatasetError
from models.evaluation.data.pairs import PairList
from models.evaluation.embedding.degradations import Jpeg, LowResolution, Unchanged
from models.evaluation.experiments.image_quality import (
    Condition,
    ImageQuality,
    evaluate_image_quality,
    list_conditions,
)
from models.evaluation.experiments.lfw import evaluate_lfw
from models.evaluation.metrics.labelled_pairs import LabelledPairs
from models.evaluation.reports.report import to_png
from service.model_files.card import FivePointAlignment
from service.pipeline.opening import PipelineOptions
from tests.support.sample_images import png_without_face

pytestmark = pytest.mark.slow

ALIGNMENT = FivePointAlignment(view=(0, 0, 112, 112), height=112, width=112)


def test_the_conditions_are_the_unchanged_crop_and_then_those_of_the_paper() -> None:
    conditions = list_conditions(ALIGNMENT)

    assert conditions[0] == Condition("none", 12_544, Unchanged())
    assert [row.value for row in conditions if row.kind == "jpeg"] == [10, 20, 30, 50, 70, 90]
    assert [row.value for row in conditions if row.kind == "pixels"] == [1_600, 6_400, 14_400, 25_600, 65_536]
    assert [row.value for row in conditions if row.kind == "pixels" and row.unchanged] == [14_400, 25_600, 65_536]


def _known() -> ImageQuality:
    """Return two mated and two non-mated pairs, under three conditions.

    Unchanged, both mated pairs are accepted. At JPEG quality 10 one of them is accepted, at 40 x 40 pixels none.
    """
    distances = ([0.5, 0.6, 1.5, 1.6], [0.5, 1.55, 1.5, 1.6], [1.6, 1.7, 1.5, 1.6], [0.5, 0.6, 1.5, 1.6])
    same = np.array([True, True, False, False])
    return ImageQuality(
        conditions=(
            Condition("none", 12_544, Unchanged()),
            Condition("jpeg", 10, Jpeg(10)),
            Condition("pixels", 1_600, LowResolution(40, 40)),
            Condition("pixels", 14_400, Unchanged()),
        ),
        pairs=tuple(LabelledPairs(np.array(row, np.float32), same) for row in distances),
    )


def test_each_condition_is_measured_at_its_own_threshold() -> None:
    assert _known().vals == [1.0, 0.5, 0.0, 1.0]


def test_the_report_has_rows_numbers_and_a_picture() -> None:
    assert _known().rows() == [
        ("crops", "VAL at FMR 0.001"),
        ("12,544 pixels, as it is", "100.00 %"),
        ("JPEG quality 10", "50.00 %"),
        ("1,600 pixels", "0.00 %"),
        ("14,400 pixels, as it is", "100.00 %"),
    ]
    assert _known().numbers()["val_at_fmr_1e-3"] == [
        {"kind": "none", "value": 12_544, "unchanged": True, "val": 1.0},
        {"kind": "jpeg", "value": 10, "unchanged": False, "val": 0.5},
        {"kind": "pixels", "value": 1_600, "unchanged": False, "val": 0.0},
        {"kind": "pixels", "value": 14_400, "unchanged": True, "val": 1.0},
    ]
    assert to_png(_known().draw()).startswith(b"\x89PNG")


def test_unchanged_crops_have_the_distances_of_lfw_and_degraded_crops_do_not(
    options: PipelineOptions, images: Path, pair_list: PairList
) -> None:
    done: list[None] = []

    measured = evaluate_image_quality(options, images, pair_list, lambda: done.append(None))

    exact = evaluate_lfw(options, images, pair_list, lambda: None).pairs.distances
    changes = {
        (condition.kind, condition.value): np.abs(pairs.distances - exact).max()
        for condition, pairs in zip(measured.conditions, measured.pairs, strict=True)
    }
    assert len(done) == 3
    assert changes["none", 12_544] == changes["pixels", 65_536] == pytest.approx(0, abs=1e-4)
    assert changes["jpeg", 90] > 1e-3
    assert changes["pixels", 1_600] > changes["pixels", 6_400] > 1e-3


def test_a_list_needs_no_folds(options: PipelineOptions, images: Path, pair_list: PairList) -> None:
    one_fold = replace(pair_list, folds=np.zeros(4, np.int64))

    assert evaluate_image_quality(options, images, one_fold, lambda: None).vals[0] == 1.0


def test_a_photograph_without_a_face_is_an_error(options: PipelineOptions, images: Path, pair_list: PairList) -> None:
    (images / "B" / "B_0001.jpg").write_bytes(png_without_face())

    with pytest.raises(DatasetError, match=r"No face was found in 1 photographs\. The first is .*B_0001\.jpg"):
        evaluate_image_quality(options, images, pair_list, lambda: None)
