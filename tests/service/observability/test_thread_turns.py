"""Turns are short while at least one context runs."""

import sys

import pytest

from service.observability.thread_turns import SHORT_TURN_S, ThreadTurns


def test_turns_are_short_until_the_last_context_ends() -> None:
    turns, usual_s = ThreadTurns(), sys.getswitchinterval()
    with turns.short():
        with turns.short():
            pass
        assert sys.getswitchinterval() == pytest.approx(SHORT_TURN_S)
    assert sys.getswitchinterval() == pytest.approx(usual_s)


def test_turns_are_as_before_after_an_error() -> None:
    usual_s = sys.getswitchinterval()
    with pytest.raises(ValueError, match="x"), ThreadTurns().short():
        raise ValueError("x")
    assert sys.getswitchinterval() == pytest.approx(usual_s)
