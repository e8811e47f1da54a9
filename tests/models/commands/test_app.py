"""`facenet-models` as a process: its output, its exit codes, and the packages that its commands need."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FunctionType
from typing import cast

import pytest
import typer

from models.commands import app as application

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]

MAKE_UNIMPORTABLE = """
import sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {package!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Finder())
"""
"""Code for a process in which a package is not installed."""

RUN_ALL = """
import contextlib, io, json
from models.__main__ import main

endings = []
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["facenet-models", *arguments]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as errors:
        try:
            main()
        except SystemExit as end:
            endings.append([end.code or 0, errors.getvalue()])
print(json.dumps(endings))
"""
"""Code that runs each of several commands, and prints the exit code and the standard error of each."""

Done = subprocess.CompletedProcess[str]


def _run(*arguments: str) -> Done:
    command = [sys.executable, "-m", "models", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def _run_code(code: str, *arguments: str, environment: dict[str, str] | None = None) -> Done:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def _run_without(package: str, arguments: Sequence[str]) -> Done:
    start = "sys.argv[0] = 'facenet-models'\nfrom models.__main__ import main\nmain()\n"
    return _run_code(MAKE_UNIMPORTABLE.format(package=package) + start, *arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pull", "sfase"], "The catalogue has no model sfase. Did you mean sface?"),
        (["evaluate", "verification", ".", "--model", "sfase"], "There is no model sfase. Did you mean sface?"),
        (["check", "nowhere.onnx"], "nowhere.onnx is missing."),
        (["train", "smoked", "--data", ".", "--out", "var/runs/smoked"], "There is no recipe smoked."),
        (
            ["train", "harmonic-compact", "--data", ".", "--out", "var/nowhere/h"],
            "The recipe harmonic-compact begins with the network",
        ),
        (["train", "smoke", "--data", ".", "--out", "var/runs/s"], "set.json cannot be read"),
        (["profile", "nn5"], "There is no network nn5"),
        (["export", "README.md", "mine", "--data", "."], "README.md is not a checkpoint, or it is damaged"),
        (
            ["export", "README.md", "mine", "--data", ".", "--card", "README.md"],
            "README.md is not TOML: ",
        ),
        (["quantise", "README.md", "int8", "--data", "."], "README.md is not an ONNX file with a valid card."),
        (["evaluate", "lfw", "--images", ".", "--pairs", "nowhere.txt"], "nowhere.txt cannot be read"),
    ],
)
def test_an_expected_error_is_one_line_and_exit_code_1(arguments: list[str], message: str) -> None:
    done = _run(*arguments)

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("facenet-models: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


NEED_PYTORCH = {
    "train": ["train", "smoke", "--data", ".", "--out", "var/nowhere"],
    "profile": ["profile", "nn2"],
    "export": ["export", "README.md", "mine", "--data", "."],
    "quantise": ["quantise", "README.md", "int8", "--data", "."],
}

ON_PAIRS = ["--images", ".", "--pairs", "nowhere.txt"]
ON_PEOPLE = ["sface", "--identities", "nowhere"]
ADOPTED = [
    *("--name", "mine", "--mean", "0", "--std", "1", "--colour", "rgb"),
    "--alignment",
    "box",
    "--licence",
    "MIT",
]
NEED_NO_PYTORCH = {
    "pull": ["pull", "sface"],
    "photographs": ["photographs"],
    "check": ["check", "var/models/sface.onnx"],
    "prepare": ["prepare", "docs", "var/nowhere"],
    "adopt": ["adopt", "README.md", "docs", *ADOPTED],
    "calibrate": ["calibrate", "docs"],
    "calibrate-int8": ["calibrate-int8", "docs", "--out", "var/nowhere.npz"],
    "calibrate-quality": ["calibrate-quality", "docs"],
    "calibrate-between": ["calibrate-between", "sface", "compact", "docs"],
    "evaluate lfw": ["evaluate", "lfw", *ON_PAIRS],
    "evaluate quality": ["evaluate", "quality", *ON_PAIRS],
    "evaluate bytes": ["evaluate", "bytes", *ON_PAIRS],
    "evaluate errors": ["evaluate", "errors", *ON_PAIRS],
    "evaluate reject": ["evaluate", "reject", "nowhere"],
    "evaluate ytf": ["evaluate", "ytf", "nowhere"],
    "evaluate verification": ["evaluate", "verification", "nowhere"],
    "evaluate dimensions": ["evaluate", "dimensions", *ON_PEOPLE],
    "evaluate learning-curve": ["evaluate", "learning-curve", "400=sface", "--identities", "nowhere"],
    "evaluate tradeoff": ["evaluate", "tradeoff", *ON_PEOPLE],
    "evaluate roc": ["evaluate", "roc", *ON_PEOPLE],
    "evaluate cluster": ["evaluate", "cluster", "nowhere"],
    "evaluate clustering": ["evaluate", "clustering", "nowhere"],
    "evaluate compatibility": ["evaluate", "compatibility", "sface", "compact", *ON_PAIRS],
    "evaluate identification": ["evaluate", "identification", "nowhere"],
    "evaluate turned": ["evaluate", "turned", *ON_PAIRS],
    "evaluate recall": ["evaluate", "recall", "--images", "nowhere"],
    "evaluate close-ups": ["evaluate", "close-ups", "--images", "nowhere"],
    "evaluate no-face": ["evaluate", "no-face", "nowhere"],
}
"""Arguments with which each command imports all that it needs. Most commands then fail: a folder does not exist."""

ENDS_WELL = {"pull", "photographs", "check"}


def _command_names(app: typer.Typer, prefix: str = "") -> Iterator[str]:
    for command in app.registered_commands:
        yield f"{prefix}{command.name or cast('FunctionType', command.callback).__name__}"
    for group in app.registered_groups:
        if group.typer_instance is not None:
            yield from _command_names(
                group.typer_instance, f"{prefix}{group.name} " if isinstance(group.name, str) else prefix
            )


def test_every_command_is_listed_either_with_pytorch_or_without_it() -> None:
    assert sorted([*NEED_PYTORCH, *NEED_NO_PYTORCH]) == sorted(_command_names(application.app))


def _missing(package: str) -> str:
    return (
        f"facenet-models: This command needs the Python package {package}, which is not installed. "
        "Run: make .venv/train (make train and make test also install it).\n"
    )


@pytest.mark.parametrize("arguments", NEED_PYTORCH.values(), ids=NEED_PYTORCH)
def test_without_pytorch_a_command_that_needs_it_names_the_make_target_and_ends_with_code_2(
    arguments: list[str],
) -> None:
    done = _run_without("torch", arguments)

    assert (done.returncode, done.stdout, done.stderr) == (2, "", _missing("torch"))


@pytest.mark.usefixtures("models_dir", "photographs")
def test_without_pytorch_all_other_commands_run() -> None:
    done = _run_code(MAKE_UNIMPORTABLE.format(package="torch") + RUN_ALL, json.dumps([*NEED_NO_PYTORCH.values()]))

    assert done.returncode == 0, done.stderr
    for name, (code, errors) in zip(NEED_NO_PYTORCH, json.loads(done.stdout), strict=True):
        assert code == (0 if name in ENDS_WELL else 1), (name, errors)
        assert "Python package" not in errors, name


@pytest.mark.parametrize("package", ["zoo", "conversion", "preparation", "evaluation", "calibration"])
def test_the_stages_that_need_no_pytorch_never_import_it(package: str) -> None:
    import_all = (
        "import importlib, pkgutil\n"
        f"package = importlib.import_module('models.{package}')\n"
        "for module in pkgutil.walk_packages(package.__path__, f'{package.__name__}.'):\n"
        "    importlib.import_module(module.name)\n"
    )

    done = _run_code(MAKE_UNIMPORTABLE.format(package="torch") + import_all)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("package", "arguments"),
    [
        ("pytorch_metric_learning", NEED_PYTORCH["train"]),
        ("tensorboard", NEED_PYTORCH["train"]),
        ("matplotlib", NEED_NO_PYTORCH["evaluate quality"]),
        ("onnx", NEED_NO_PYTORCH["check"]),
    ],
)
def test_the_other_optional_packages_are_named_too(package: str, arguments: list[str]) -> None:
    done = _run_without(package, arguments)

    assert (done.returncode, done.stdout, done.stderr) == (2, "", _missing(package))


def test_onnxscript_is_named_when_the_tracer_does_not_find_it() -> None:
    trace = (
        "import torch\nfrom models.commands import app\n"
        "app.app = lambda: torch.onnx.export(torch.nn.ReLU(), (torch.zeros(1),), dynamo=True, verbose=False)\n"
        "app.main()\n"
    )

    done = _run_code(MAKE_UNIMPORTABLE.format(package="onnxscript") + trace)

    assert done.returncode == 2
    assert done.stderr.endswith(_missing("onnxscript"))


def test_a_package_that_every_environment_has_is_an_error_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ModuleNotFoundError("No module named 'numpy'", name="numpy")

    monkeypatch.setattr(application, "app", fail)

    with pytest.raises(ModuleNotFoundError):
        application.main()


def test_the_numbers_of_threads_are_set_before_numpy_is_imported() -> None:
    code = """
import os, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "numpy":
            print(os.environ.get("OMP_NUM_THREADS"), os.environ.get("OPENBLAS_NUM_THREADS"))

sys.meta_path.insert(0, Finder())
import models.__main__
"""
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}

    done = _run_code(code, environment=environment)

    assert done.stdout == "1 1\n", done.stderr


@pytest.mark.usefixtures("models_dir")
def test_a_model_that_is_there_is_not_pulled_again_and_its_path_is_printed() -> None:
    done = _run("pull", "sface", "yunet")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["var/models/sface.onnx", "var/models/yunet.onnx"]


def test_check_prints_the_card(models_dir: Path) -> None:
    done = _run("check", str(models_dir / "yunet.onnx"))

    assert done.returncode == 0
    assert '"name": "yunet"' in done.stdout


def test_profile_prints_the_counted_numbers_beside_those_of_the_paper() -> None:
    done = _run("profile", "nn2")

    assert done.returncode == 0
    assert "7,456,304" in done.stdout
    assert "1.6B" in done.stdout
