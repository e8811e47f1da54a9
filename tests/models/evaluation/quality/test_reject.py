from dataclasses import replace

import numpy as np
import pytest

from models.errors import DatasetError
from models.evaluation.quality.probes import EmbeddedFace, JudgedProbes, PairOfOnePerson
from models.evaluation.quality.reject import RejectCurves, evaluate_reject
from models.evaluation.reports.report import to_png
from service.domain.quality import FaceMeasures, FaceQuality
from tests.support.fakes import frontal_face

MEASURES = FaceMeasures(100, 0.2, 0.5, 0.2, 0, 0, 1, 0.9, 0.9)


def face(direction: int, away: float, score: float | None) -> EmbeddedFace:
    """Return a face whose embedding is a corner of a cube, turned towards a corner of its own by `away`."""
    embedding = np.zeros(64, np.float32)
    embedding[[direction, 63]] = np.cos(away), np.sin(away)
    quality = FaceQuality(score, (), MEASURES)
    return EmbeddedFace(replace(frontal_face(0, 0, 10, 10), quality=quality), embedding)


def pairs(count: int, missed: int) -> list[PairOfOnePerson]:
    """Return pairs of `count` people. The probes of the first `missed` people match nobody, with the lowest scores."""
    return [
        PairOfOnePerson(
            person,
            face(person, 0, 1.0),
            face(person, 0.1, 1.0),
            face(person, np.pi / 2 if person < missed else 0.1, person / count),
        )
        for person in range(count)
    ]


def test_a_score_that_knows_the_misses_brings_fnmr_to_zero() -> None:
    curves = RejectCurves.of(JudgedProbes.degraded(pairs(40, 8)))
    assert [curves.fnmr("quality score", share) for share in (0.0, 0.1, 0.2)] == pytest.approx([0.2, 4 / 36, 0.0])
    assert [curves.fnmr("oracle", share) for share in (0.0, 0.1, 0.2)] == pytest.approx([0.2, 4 / 36, 0.0])


def test_random_rejection_leaves_fnmr_as_it_is() -> None:
    curves = RejectCurves.of(JudgedProbes.degraded(pairs(40, 8)))
    assert curves.random_fnmr(0.3) == pytest.approx(0.2, abs=0.02)


def test_a_report_has_a_row_for_each_score_and_a_picture() -> None:
    report = evaluate_reject(pairs(40, 8))
    assert ("degraded", "quality score", "20.0 %", "11.1 %", "0.0 %", "0.0 %") in report.rows()
    assert report.numbers()["probes"] == {"as they are": 40, "degraded": 40}
    assert to_png(report.draw()).startswith(b"\x89PNG")


def test_probes_without_a_face_are_counted_and_left_out() -> None:
    found = pairs(40, 8)
    report = evaluate_reject([replace(pair, degraded=None) if pair.person >= 35 else pair for pair in found])
    assert report.numbers()["degraded_without_face"] == 5
    assert report.numbers()["probes"] == {"as they are": 40, "degraded": 35}


def test_a_model_without_weights_is_refused() -> None:
    unjudged = [replace(pair, sharp=face(pair.person, 0.1, None)) for pair in pairs(40, 8)]
    with pytest.raises(DatasetError, match="calibrate-quality"):
        evaluate_reject(unjudged)


def test_one_person_is_too_few() -> None:
    with pytest.raises(DatasetError, match="Fewer than two people"):
        JudgedProbes.sharp(pairs(1, 0))
