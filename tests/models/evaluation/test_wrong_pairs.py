from pathlib import Path

import numpy as np

from models.evaluation import lfw, wrong_pairs
from models.evaluation.pairs import Pairs
from models.evaluation.report import png
from service.pipeline import PipelineOptions


def test_a_pair_is_wrong_at_the_threshold_of_its_fold(pairs: Pairs) -> None:
    # The first fold is decided at 1.25, which the second chose, and the second at 0.625.
    report = lfw.Report(pairs, np.array([0.5, 0.75, 1.0, 1.5], np.float32))

    accepts, rejects = wrong_pairs.wrong(report)

    assert report.cross_validation.thresholds.tolist() == [1.25, 0.625]
    assert [(one.left, one.right, one.distance) for one in accepts] == [("O/O_0001.jpg", "B/B_0001.jpg", 0.75)]
    assert [(one.left, one.right, one.distance) for one in rejects] == [("O/O_0002.jpg", "O/O_0001.jpg", 1.0)]
    assert (len(accepts) + len(rejects)) / 4 == 1 - report.cross_validation.mean


def test_the_worst_come_first() -> None:
    rows = np.arange(8)
    pairs = Pairs(
        images=tuple(Path(f"X_{row}.jpg") for row in range(8)),
        left=rows,
        right=rows[::-1].copy(),
        same=np.array([True, True, False, False] * 2),
        folds=np.repeat([0, 1], 4),
    )
    distances = np.array([0.5, 0.6, 1.0, 1.1, 1.9, 0.2, 0.3, 2.0], np.float32)

    accepts, rejects = wrong_pairs.wrong(lfw.Report(pairs, distances))

    for found in (accepts, rejects):
        margins = [one.margin for one in found]
        assert margins == sorted(margins, reverse=True)


def test_wrong_pairs_of_real_photographs_are_shown(options: PipelineOptions, images: Path, pairs: Pairs) -> None:
    mixed_up = Pairs(pairs.images, pairs.left, pairs.right, ~pairs.same, pairs.folds)
    done: list[None] = []

    measured = wrong_pairs.evaluate(options, images, mixed_up, lambda: done.append(None))

    wrong = len(measured.false_accepts) + len(measured.false_rejects)
    assert len(done) == 3
    assert wrong > 0
    assert len(measured.crops) == 2 * wrong
    assert measured.rows()[1:] == [
        ("false accepts (two people taken for one)", f"{len(measured.false_accepts)}"),
        ("false rejects (one person taken for two)", f"{len(measured.false_rejects)}"),
    ]
    assert png(measured.draw()).startswith(b"\x89PNG")


def test_no_wrong_pair_is_a_picture_too(options: PipelineOptions, images: Path, pairs: Pairs) -> None:
    measured = wrong_pairs.evaluate(options, images, pairs, lambda: None)

    assert measured.figures() == {"pairs": 4, "false_accepts": [], "false_rejects": []}
    assert png(measured.draw()).startswith(b"\x89PNG")
