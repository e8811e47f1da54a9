"""`facenet threshold`."""

import pytest
from typer.testing import CliRunner

from service.__main__ import app

pytestmark = pytest.mark.usefixtures("models_dir")


@pytest.mark.parametrize("option", ["--people", "--photographs"])
def test_the_size_of_a_gallery_is_refused_with_an_fmr(option: str) -> None:
    answer = CliRunner().invoke(app, ["threshold", "--fmr", "1e-4", option, "100"])
    assert answer.exit_code == 2
    assert "belong to --fpir" in answer.output


def test_the_last_line_says_what_the_rates_are_measured_on() -> None:
    for rate in (["--fmr", "1e-4"], ["--fpir", "0.01", "--people", "100"]):
        last = CliRunner().invoke(app, ["threshold", *rate]).output.strip().splitlines()[-1]
        assert last.startswith("Measured on ")
        assert "difficult" in last
