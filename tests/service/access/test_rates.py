"""Requests a minute and images a day."""

from datetime import UTC, datetime, timedelta

import pytest

from service.access.rates import ImageCount, RequestRate
from service.domain.access_errors import QuotaUsed, RateExceeded

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_the_requests_of_a_minute_may_come_at_once_and_the_next_one_is_refused() -> None:
    rate = RequestRate(30)
    for _ in range(30):
        rate.take(100.0)
    with pytest.raises(RateExceeded) as refusal:
        rate.take(100.0)
    assert refusal.value.retry_after_s == 2


def test_after_the_time_that_the_refusal_names_one_more_request_is_allowed() -> None:
    rate = RequestRate(30)
    for _ in range(30):
        rate.take(100.0)
    rate.take(102.0)
    with pytest.raises(RateExceeded):
        rate.take(102.0)


@pytest.mark.parametrize("per_minute", [1, 7, 600, 10**9])
def test_no_minute_has_more_than_twice_the_requests(per_minute: int) -> None:
    rate, allowed = RequestRate(per_minute), 0
    for tenth in range(600):
        try:
            rate.take(1000 + tenth / 10)
        except RateExceeded:
            continue
        allowed += 1
    assert 1 <= allowed <= min(600, 2 * per_minute)


def test_images_above_the_quota_are_refused_until_the_next_day() -> None:
    count = ImageCount(10, None, 0)
    count.take(8, NOON)
    with pytest.raises(QuotaUsed) as refusal:
        count.take(3, NOON)
    assert refusal.value.retry_after_s == 12 * 3600
    count.take(2, NOON)
    count.take(10, NOON + timedelta(hours=12))
    assert (count.day, count.used) == ("2026-03-02", 10)


def test_the_count_continues_where_the_records_say() -> None:
    count = ImageCount(10, "2026-03-01", 9)
    with pytest.raises(QuotaUsed):
        count.take(2, NOON)
    assert ImageCount(None, "2026-03-01", 9).used == 9
