import pytest

from service.domain.recent_work import FORGOTTEN_S, HALF_LIFE_S, RecentWork


class Clock:
    """A clock that the test sets."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_the_work_of_each_key_is_summed_up(clock: Clock) -> None:
    recent = RecentWork(clock)
    recent.add("a", 1.0)
    recent.add("a", 2.0)
    recent.add(None, 4.0)
    assert (recent.of("a"), recent.of(None), recent.of("b")) == (3.0, 4.0, 0.0)


def test_work_counts_half_after_the_half_life(clock: Clock) -> None:
    recent = RecentWork(clock)
    recent.add("a", 4.0)
    clock.now_s += HALF_LIFE_S
    recent.add("a", 1.0)
    assert recent.of("a") == pytest.approx(3.0)
    clock.now_s += 2 * HALF_LIFE_S
    assert recent.of("a") == pytest.approx(0.75)


def test_a_silent_key_is_not_ahead_for_longer_than_the_work_that_is_recent(clock: Clock) -> None:
    """Otherwise a key could save up an hour of work, and then keep all others waiting."""
    recent = RecentWork(clock)
    for _ in range(3600):
        recent.add("busy", 1.0)
        clock.now_s += 1.0
    assert recent.of("busy") < 2 * HALF_LIFE_S


def test_keys_that_no_longer_work_take_no_memory(clock: Clock) -> None:
    recent = RecentWork(clock)
    for number in range(100):
        recent.add(f"key {number}", 1.0)
    clock.now_s += FORGOTTEN_S + 1
    recent.add("a", 1.0)
    assert len(recent) == 1
