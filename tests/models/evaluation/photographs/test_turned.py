from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.errors import DatasetError
from models.evaluation.data.pairs import PairList, read_pair_lists
from models.evaluation.photographs.turned import TurnedPairs, draw_pairs, evaluate_turned, turn_picture
from models.evaluation.reports.report import to_png
from service.pipeline.opening import PipelineOptions
from tests.support.sample_images import png_without_face


def _known() -> TurnedPairs:
    """Return two mated and two non-mated pairs. One mated pair is not verified upright."""
    infinite = np.inf
    return TurnedPairs(
        turns_deg=(0, 180),
        thresholds={"verification": 1.2, "identification": 1.0},
        same=np.array([True, True, False, False]),
        both=np.array([[0.5, 1.3, 1.5, 1.6], [infinite, 0.1, 1.1, 0.9]], np.float32),
        one=np.array([[0.5, 1.3, 1.5, 1.6], [0.6, 0.1, 1.5, 1.6]], np.float32),
        without_face=(0, 1),
    )


def test_mated_pairs_count_only_if_they_are_verified_upright() -> None:
    assert _known().rows() == [
        (
            "turned by",
            "photographs without a face",
            "non-mated pairs below 1.2",
            "non-mated pairs below 1",
            "mated pairs that are still verified, both turned",
            "one turned",
        ),
        ("0°", "0", "0.0 %", "0.0 %", "100.0 %", "100.0 %"),
        ("180°", "1", "100.0 %", "50.0 %", "0.0 %", "100.0 %"),
    ]
    assert _known().numbers()["mated_pairs_verified_upright"] == 1
    assert to_png(_known().draw()).startswith(b"\x89PNG")


def test_without_a_pair_that_is_verified_upright_the_rates_are_0() -> None:
    report = replace(_known(), both=np.full((2, 4), np.inf, np.float32))

    assert report.numbers()["mated_still_verified"] == {"both turned": [0, 0], "one turned": [0, 0]}


@pytest.mark.parametrize("degrees", [90, 120, 180, 270])
def test_a_picture_is_turned_counterclockwise(degrees: int) -> None:
    pixels = np.zeros((101, 101, 3), np.uint8)
    pixels[45:56, 85:96] = 255  # on the right

    turned = turn_picture(pixels, degrees)

    rows, columns = np.nonzero(turned[..., 0] > 128)
    angle = np.degrees(np.arctan2(50 - rows.mean(), columns.mean() - 50)) % 360
    assert angle == pytest.approx(degrees, abs=1)


def test_drawn_pairs_are_of_the_list_and_the_same_in_every_call(pair_list: PairList) -> None:
    drawn, again = (draw_pairs(pair_list, 1) for _ in range(2))

    assert drawn.same.tolist() == [True, False]
    assert [drawn.images[row].name for row in drawn.left] == [again.images[row].name for row in again.left]
    with pytest.raises(DatasetError, match="The list has 2 mated pairs, and 3 are needed"):
        draw_pairs(pair_list, 3)


def test_faces_upside_down_are_compared_as_if_they_were_upright(
    options: PipelineOptions, images: Path, pair_list: PairList
) -> None:
    done: list[None] = []

    measured = evaluate_turned(options, images, pair_list, lambda: done.append(None), (0, 180))

    assert len(done) == 6
    assert measured.without_face == (0, 0)
    assert measured.thresholds == {"verification": 1.242, "identification": 1.025}
    assert (measured.both < 1.242).tolist() == (measured.one < 1.242).tolist() == [pair_list.same.tolist()] * 2


def test_a_pair_without_a_face_is_not_verified(options: PipelineOptions, images: Path, pair_list: PairList) -> None:
    (images / "O" / "O_0002.jpg").write_bytes(png_without_face())

    measured = evaluate_turned(options, images, pair_list, lambda: None, (0,))

    assert measured.without_face == (1,)
    assert np.isinf(measured.both[0]).tolist() == [True, False, True, True]


@pytest.mark.lfw
def test_strangers_of_lfw_who_are_upside_down_do_not_match(options: PipelineOptions, lfw: Path) -> None:
    pairs = draw_pairs(read_pair_lists(lfw / "pairs.txt"), 3)

    measured = evaluate_turned(options, lfw / "images", pairs, lambda: None, (0, 180))

    assert measured.numbers()["non_mated_below_threshold"] == {"verification": [0, 0], "identification": [0, 0]}
