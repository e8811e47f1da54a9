"""`make` passes settings on, says what it waits for, and refuses what is wrong before it sets anything up."""

import os
import subprocess
from pathlib import Path

import pytest

from models.training.recipes.recipes import RECIPES

ROOT = Path(__file__).parents[2]


def run_make(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Return what make prints, and its exit code. Nothing is run."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("FACE_", "MAKE"))}
    command = ["make", "--dry-run", *arguments]
    return subprocess.run(command, cwd=ROOT, env=clean | environment, capture_output=True, text=True, check=False)


def served_with(*arguments: str, **environment: str) -> dict[str, str]:
    """Return the settings that `make run` gives to `facenet serve`. Nothing is run."""
    printed = run_make("run", *arguments, **environment)
    assert printed.returncode == 0, printed.stderr
    last = printed.stdout.replace("\\\n", "").splitlines()[-1]
    return dict(one.split("=", 1) for one in last.split() if one.startswith("FACE_"))


@pytest.mark.parametrize(
    ("arguments", "environment", "name", "value"),
    [
        ([], {}, "FACE_HOST", "127.0.0.1"),
        ([], {"FACE_HOST": "0.0.0.0"}, "FACE_HOST", "0.0.0.0"),  # noqa: S104  # nothing listens
        (["HOST=::1"], {"FACE_HOST": "0.0.0.0"}, "FACE_HOST", "::1"),  # noqa: S104
        ([], {"FACE_PORT": "8001"}, "FACE_PORT", "8001"),
        (["PORT=8002"], {"FACE_PORT": "8001"}, "FACE_PORT", "8002"),
        ([], {"FACE_MODELS__EMBEDDER": "compact"}, "FACE_MODELS__EMBEDDER", "compact"),
        ([], {}, "FACE_LOG__FORMAT", "console"),
        ([], {"FACE_LOG__FORMAT": "json"}, "FACE_LOG__FORMAT", "json"),
        (["TARGET=gpu"], {}, "FACE_INFERENCE__PROVIDER", "cuda"),
        ([], {"FACE_INFERENCE__PROVIDER": "openvino"}, "FACE_INFERENCE__PROVIDER", "openvino"),
    ],
)
def test_make_run_serves_with_the_settings_of_its_arguments_then_of_the_environment(
    arguments: list[str], environment: dict[str, str], name: str, value: str
) -> None:
    assert served_with(*arguments, **environment)[name] == value


def test_the_demo_enrols_in_the_collection_that_is_named() -> None:
    assert "--collection demo " in run_make("demo").stdout
    assert "--collection demo2 " in run_make("demo", "COLLECTION=demo2").stdout


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_is_accepted(recipe: str) -> None:
    printed = run_make("train", f"RECIPE={recipe}")
    assert printed.returncode == 0, printed.stderr


def test_a_wrong_recipe_is_refused_before_the_setup_and_the_right_ones_are_listed() -> None:
    printed = run_make("train", "RECIPE=wrong")
    assert printed.returncode != 0
    assert printed.stdout == ""
    assert "There is no recipe wrong. The recipes are" in printed.stderr
    names = printed.stderr.partition("The recipes are ")[2].partition(".  Stop")[0].split()
    assert set(names) == set(RECIPES)


@pytest.mark.parametrize("target", ["run", "train", "models"])
def test_what_a_setup_downloads_is_said_before_the_wait(target: str) -> None:
    printed = run_make("--always-make", target).stdout
    notice = printed.index("Setting up .venv: Python packages are downloaded and installed (")
    assert notice < printed.index("pip install")
