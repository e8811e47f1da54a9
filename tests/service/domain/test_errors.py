"""Errors of the service."""

import pickle

from service.domain.errors import TooFewPeople


def test_an_error_of_another_process_keeps_its_text_and_its_input() -> None:
    error = TooFewPeople(3, set_aside=2)
    error.input_name = "images[1]"
    copied = pickle.loads(pickle.dumps(error))  # noqa: S301  # made here
    assert (type(copied), str(copied), copied.input_name) == (TooFewPeople, str(error), "images[1]")


def test_too_few_people_says_what_to_do_with_copies() -> None:
    assert "merge those who are one person" in str(TooFewPeople(3, set_aside=2))
    assert "merge" not in str(TooFewPeople(3))
