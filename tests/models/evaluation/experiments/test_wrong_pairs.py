from dataclasses import replace
from pathlib import Path

import numpy as np

from models.evaluation.data.pairs import PairList
from models.evaluation.experiments.lfw import LfwReport
from models.evaluation.experiments.wrong_pairs import evaluate_wrong_pairs, find_wrong_pairs
from models.evaluation.reports.report import to_png
from service.pipeline.opening import PipelineOptions


def test_a_pair_is_decided_at_the_threshold_of_its_fold(pair_list: PairList) -> None:
    # The threshold of a fold is chosen on the other fold: 1.25 for the first fold, and 0.625 for the second.
    report = LfwReport(pair_list, pair_list.label(np.array([0.5, 0.75, 1.0, 1.5], np.float32)))

    accepts, rejects = find_wrong_pairs(report)

    assert report.cross_validation.thresholds.tolist() == [1.25, 0.625]
    assert [(pair.left, pair.right, pair.distance) for pair in accepts] == [("O/O_0001.jpg", "B/B_0001.jpg", 0.75)]
    assert [(pair.left, pair.right, pair.distance) for pair in rejects] == [("O/O_0002.jpg", "O/O_0001.jpg", 1.0)]
    assert (len(accepts) + len(rejects)) / 4 == 1 - report.cross_validation.accuracy.value


def test_the_pairs_with_the_greatest_margin_come_first() -> None:
    rows = np.arange(8)
    pair_list = PairList(
        images=tuple(Path(f"X_{row}.jpg") for row in range(8)),
        left=rows,
        right=rows[::-1].copy(),
        same=np.array([True, True, False, False] * 2),
        folds=np.repeat([0, 1], 4),
    )
    distances = np.array([0.5, 0.6, 1.0, 1.1, 1.9, 0.2, 0.3, 2.0], np.float32)

    accepts, rejects = find_wrong_pairs(LfwReport(pair_list, pair_list.label(distances)))

    for wrong_pairs in (accepts, rejects):
        margins = [pair.margin for pair in wrong_pairs]
        assert margins == sorted(margins, reverse=True)


def test_wrong_pairs_of_real_photographs_are_drawn(options: PipelineOptions, images: Path, pair_list: PairList) -> None:
    mislabelled = replace(pair_list, same=~pair_list.same)
    done: list[None] = []

    measured = evaluate_wrong_pairs(options, images, mislabelled, lambda: done.append(None))

    wrong = len(measured.false_matches) + len(measured.false_non_matches)
    assert len(done) == 3
    assert wrong > 0
    assert len(measured.crops) == 2 * wrong
    assert measured.rows()[1:] == [
        ("false matches (two people taken for one)", f"{len(measured.false_matches)}"),
        ("false non-matches (one person taken for two)", f"{len(measured.false_non_matches)}"),
    ]
    assert to_png(measured.draw()).startswith(b"\x89PNG")


def test_the_picture_can_be_drawn_without_a_wrong_pair(
    options: PipelineOptions, images: Path, pair_list: PairList
) -> None:
    measured = evaluate_wrong_pairs(options, images, pair_list, lambda: None)

    assert measured.numbers() == {"pairs": 4, "false_matches": [], "false_non_matches": []}
    assert to_png(measured.draw()).startswith(b"\x89PNG")
