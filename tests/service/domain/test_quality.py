from dataclasses import replace

import pytest

from service.domain.errors import LowQuality
from service.domain.quality import LIMITS, FaceMeasures, FaceQuality, Limit, QualityReason

GOOD = FaceMeasures(
    face_width_px=120.0,
    sharpness=0.18,
    brightness=0.5,
    contrast=0.17,
    yaw_deg=5.0,
    roll_deg=0.0,
    share_inside=1.0,
    detection_score=0.93,
    landmark_score=0.999,
)


def test_a_good_face_is_inside_every_limit() -> None:
    assert not any(limit.breaks(GOOD) for limit in LIMITS)


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.reason)
def test_a_measure_beyond_its_limit_is_named_alone(limit: Limit) -> None:
    beyond = limit.most * 1.01 if limit.most < float("inf") else limit.least * 0.99
    measures = replace(GOOD, **{limit.measure: beyond})
    assert [broken.reason for broken in LIMITS if broken.breaks(measures)] == [limit.reason]


@pytest.mark.parametrize("yaw_deg", [-41.0, 41.0])
def test_a_head_can_be_turned_away_to_both_sides(yaw_deg: float) -> None:
    measures = replace(GOOD, yaw_deg=yaw_deg)
    assert [limit.reason for limit in LIMITS if limit.breaks(measures)] == [QualityReason.TURNED_AWAY]


def test_the_refusal_names_the_measure_and_its_limit() -> None:
    quality = FaceQuality(0.1234, (QualityReason.BLURRED,), replace(GOOD, sharpness=0.031))
    assert str(LowQuality(quality, 0.5)) == (
        "The quality of the face is 0.1234, and at least 0.5 is needed. What is wrong: blurred (sharpness is 0.031, at "
        "least 0.08 is good). Send a better photograph, or pass a lower min_quality."
    )


def test_the_refusal_of_a_face_without_a_reason_names_none() -> None:
    assert "What is wrong" not in str(LowQuality(FaceQuality(0.8, (), GOOD), 0.9))


def test_a_face_without_a_score_is_never_below_a_minimum() -> None:
    assert not FaceQuality(None, (), GOOD).is_below(1.0)
