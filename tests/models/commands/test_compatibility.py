import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from models.commands.compatibility import app
from models.errors import DatasetError
from service.card import Compatible


def _run(*arguments: str | Path) -> str:
    done = CliRunner().invoke(app, [str(one) for one in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_what_both_commands_print_is_the_entry_of_a_card(
    twins: list[str], people: Path, images: Path, pairs_file: Path, tmp_path: Path
) -> None:
    entry = _run("compatible", *twins, people, "--references", "5")
    told = _run("compatibility", *twins, "--images", images, "--pairs", pairs_file, "--out", tmp_path)
    printed = entry + "\n" + told[told.index("[[models.") :]

    (row,) = tomllib.loads(printed)["models"]["new"]["compatible_with"]

    found = Compatible.model_validate(row)
    assert found.name == "old"
    assert found.error_rates[0].measured_on == f"80 photographs of 20 people of {people.name}"
    assert [one.benchmark for one in found.results] == [
        "LFW View 2, accuracy, against old",
        "LFW View 2, VAL at FMR 1e-3, against old",
        "LFW, closed-set rank-1 of 1 references, against old",
    ]
    assert {one.command.split()[0] for one in found.results} == {"facenet-models"}


def test_too_few_people_are_refused_before_any_is_embedded(twins: list[str], tmp_path: Path) -> None:
    for name in ("ada", "bob"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").touch()

    with pytest.raises(DatasetError, match=r"1000 references need more .* there are 2\. Pass --references 1 or fewer"):
        _run("compatible", *twins, tmp_path)
