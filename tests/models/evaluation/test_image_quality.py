from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.errors import DatasetError
from models.evaluation import image_quality, lfw
from models.evaluation.degradations import AsItIs, Jpeg, Shrunk
from models.evaluation.image_quality import Condition, ImageQuality, conditions
from models.evaluation.pairs import Pairs
from models.evaluation.report import png
from service.card import FivePoint
from service.pipeline import PipelineOptions
from tests.pictures import meadow

FINE = FivePoint(view=(0, 0, 112, 112), height=112, width=112)


def test_the_conditions_are_the_paper_s_behind_the_crop_as_it_is() -> None:
    found = conditions(FINE)

    assert found[0] == Condition("none", 12_544, AsItIs())
    assert [one.value for one in found if one.kind == "jpeg"] == [10, 20, 30, 50, 70, 90]
    assert [one.value for one in found if one.kind == "pixels"] == [1_600, 6_400, 14_400, 25_600, 65_536]
    assert [one.value for one in found if one.kind == "pixels" and one.unchanged] == [14_400, 25_600, 65_536]


def _known() -> ImageQuality:
    """Two pairs of each kind: told apart as they are, half of them at JPEG 10, and one at 40 x 40 pixels."""
    return ImageQuality(
        conditions=(
            Condition("none", 12_544, AsItIs()),
            Condition("jpeg", 10, Jpeg(10)),
            Condition("pixels", 1_600, Shrunk(40, 40)),
            Condition("pixels", 14_400, AsItIs()),
        ),
        distances=tuple(
            np.array(one, np.float32)
            for one in ([0.5, 0.6, 1.5, 1.6], [0.5, 1.55, 1.5, 1.6], [1.6, 1.7, 1.5, 1.6], [0.5, 0.6, 1.5, 1.6])
        ),
        same=np.array([True, True, False, False]),
    )


def test_each_condition_is_measured_at_its_own_threshold() -> None:
    assert _known().vals == [1.0, 0.5, 0.0, 1.0]


def test_the_report_is_told_and_drawn() -> None:
    assert _known().rows() == [
        ("crops", "VAL at FMR 0.001"),
        ("12,544 pixels, as it is", "100.00 %"),
        ("JPEG quality 10", "50.00 %"),
        ("1,600 pixels", "0.00 %"),
        ("14,400 pixels, as it is", "100.00 %"),
    ]
    assert _known().figures()["val_at_far_1e-3"] == [
        {"kind": "none", "value": 12_544, "unchanged": True, "val": 1.0},
        {"kind": "jpeg", "value": 10, "unchanged": False, "val": 0.5},
        {"kind": "pixels", "value": 1_600, "unchanged": False, "val": 0.0},
        {"kind": "pixels", "value": 14_400, "unchanged": True, "val": 1.0},
    ]
    assert png(_known().draw()).startswith(b"\x89PNG")


def test_crops_as_they_are_give_lfw_s_own_distances_and_degraded_ones_do_not(
    options: PipelineOptions, images: Path, pairs: Pairs
) -> None:
    done: list[None] = []

    measured = image_quality.evaluate(options, images, pairs, lambda: done.append(None))

    exact = lfw.evaluate(options, images, pairs, lambda: None).distances
    changes = {
        (one.kind, one.value): np.abs(distances - exact).max()
        for one, distances in zip(measured.conditions, measured.distances, strict=True)
    }
    assert len(done) == 3
    assert changes["none", 12_544] == changes["pixels", 65_536] == pytest.approx(0, abs=1e-4)
    assert changes["jpeg", 90] > 1e-3
    assert changes["pixels", 1_600] > changes["pixels", 6_400] > 1e-3


def test_a_list_needs_no_folds(options: PipelineOptions, images: Path, pairs: Pairs) -> None:
    one_fold = replace(pairs, folds=np.zeros(4, np.int64))

    assert image_quality.evaluate(options, images, one_fold, lambda: None).vals[0] == 1.0


def test_a_photograph_without_a_face_is_an_error(options: PipelineOptions, images: Path, pairs: Pairs) -> None:
    (images / "B" / "B_0001.jpg").write_bytes(meadow())

    with pytest.raises(DatasetError, match=r"No face was found in 1 photographs, the first is .*B_0001\.jpg"):
        image_quality.evaluate(options, images, pairs, lambda: None)
