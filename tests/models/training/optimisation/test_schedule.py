import pytest

from models.training.optimisation.schedule import Schedule


def test_the_rate_rises_linearly_stays_and_falls_along_a_cosine() -> None:
    schedule = Schedule(steps=100, warm_up=10, decay=0.4)
    assert [schedule.learning_rate_factor(step) for step in (0, 4, 9)] == pytest.approx([0.1, 0.5, 1.0])
    assert {schedule.learning_rate_factor(step) for step in range(10, 60)} == {1.0}
    assert schedule.learning_rate_factor(80) == pytest.approx(0.01 + 0.99 / 2)
    assert schedule.learning_rate_factor(99) == pytest.approx(0.01, abs=0.01)
    falling = [schedule.learning_rate_factor(step) for step in range(60, 100)]
    assert falling == sorted(falling, reverse=True)


def test_a_decay_over_the_whole_run_starts_after_the_warm_up() -> None:
    schedule = Schedule(steps=50, warm_up=10)
    assert schedule.learning_rate_factor(10) == 1.0
    assert schedule.learning_rate_factor(11) < 1.0
