"""`evaluate identification`, and `calibrate-between` with `evaluate compatibility`, which print an entry of a card."""

import json
import shutil
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from models.commands.app import app
from models.errors import DatasetError
from service.model_files.card import CompatibleModel

pytestmark = pytest.mark.slow


def _run(*arguments: str | Path) -> str:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_two_commands_print_the_entry_of_a_compatible_model(
    twins: list[str], people: Path, images: Path, pairs_file: Path, tmp_path: Path
) -> None:
    entry = _run("calibrate-between", *twins, people, "--references", "5")
    results = _run("evaluate", "compatibility", *twins, "--images", images, "--pairs", pairs_file, "--out", tmp_path)
    printed = entry + "\n" + results[results.index("[[models.") :]

    (row,) = tomllib.loads(printed)["models"]["new"]["compatible_with"]

    model = CompatibleModel.model_validate(row)
    assert model.name == "old"
    assert model.error_rates[0].measured_on == f"80 photographs of 20 people of {people.name}"
    assert [result.benchmark for result in model.results] == [
        "LFW View 2, accuracy, against old",
        "LFW View 2, VAL at FMR 1e-3, against old",
        "LFW, closed-set rank-1 of 1 references, against old",
    ]
    assert {result.command.split()[0] for result in model.results} == {"facenet-models"}


def test_too_few_people_are_refused_before_any_photograph_is_embedded(twins: list[str], tmp_path: Path) -> None:
    for name in ("ada", "bob"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").touch()

    with pytest.raises(DatasetError, match=r"1000 references need more .* there are 2\. Pass --references 1 or fewer"):
        _run("calibrate-between", *twins, tmp_path)


def test_the_old_name_of_the_command_is_gone(twins: list[str], tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["evaluate", "compatible", *twins, str(tmp_path)])

    assert done.exit_code == 2
    assert "No such command 'compatible'" in done.output


def test_identification_prints_the_open_set_and_writes_it(tiny: list[str], people: Path, tmp_path: Path) -> None:
    folder = tmp_path / "people"
    shutil.copytree(people, folder)
    for person in sorted(folder.iterdir())[10:]:
        for file in sorted(person.iterdir())[1:]:
            file.unlink()

    printed = _run("evaluate", "identification", folder, "--model", tiny[0], "--out", tmp_path / "out")

    assert "tiny-16" in printed
    figures = json.loads((tmp_path / "out" / "identification.json").read_text("utf-8"))["figures"]
    assert (figures["references"], figures["probes"], figures["strangers"]) == (10, 120, 10)
    assert [rate["fpir"] for rate in figures["rates"]] == [0.1]
    assert (tmp_path / "out" / "identification.png").read_bytes().startswith(b"\x89PNG")
