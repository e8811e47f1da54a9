import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from models.commands.calibration import app
from models.evaluation.data.identities import read_people
from service.model_files.card import QualityWeights

pytestmark = pytest.mark.slow

PEOPLE = 40


def test_calibrate_quality_prints_a_table_of_the_catalogue(lfw: Path, tmp_path: Path) -> None:
    several = [name for name, photographs in read_people(lfw / "images").items() if len(photographs) >= 5]
    only = tmp_path / "only.txt"
    only.write_text("\n".join(several[:PEOPLE]), "utf-8")

    command = ["calibrate-quality", str(lfw / "images"), "--only", str(only)]
    done = CliRunner().invoke(app, command, catch_exceptions=False)

    assert done.exit_code == 0, done.output
    table = tomllib.loads(done.stdout[done.stdout.index("[models.") :])["models"]["sface"]["quality"]
    assert len(QualityWeights.model_validate(table).embedding) == 128
