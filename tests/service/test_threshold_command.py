"""`facenet threshold`."""

import pytest
from typer.testing import CliRunner

from service.__main__ import app

pytestmark = pytest.mark.usefixtures("models_dir")


def test_the_number_of_people_is_refused_with_an_fmr() -> None:
    answer = CliRunner().invoke(app, ["threshold", "--fmr", "1e-4", "--people", "100"])
    assert answer.exit_code == 2
    assert "belongs to --fpir" in answer.output


def test_a_subject_with_several_photographs_needs_a_lower_threshold() -> None:
    one, three, ten = (
        CliRunner().invoke(app, ["threshold", "--fmr", "1e-5", "--photographs", count]) for count in ("1", "3", "10")
    )
    assert "threshold 1.028" in one.output
    assert "threshold 0.966" in three.output
    assert "matches one of 3 photographs in at most 0.001 % of requests" in three.output
    assert "from FMR 3e-05" in str(ten.exception)


def test_the_last_line_says_what_the_rates_are_measured_on() -> None:
    for rate in (["--fmr", "1e-4"], ["--fpir", "0.01", "--people", "100"]):
        last = CliRunner().invoke(app, ["threshold", *rate]).output.strip().splitlines()[-1]
        assert last.startswith("Measured on ")
        assert "difficult" in last
