"""What the documents promise: a row for each setting, refusal, metric and recipe, a word for each command."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType
from typing import cast

import pytest
import typer
from prometheus_client.metrics import MetricWrapperBase

from models.__main__ import app as models_app
from models.training.recipes import RECIPES
from service import errors
from service.api import refusals
from service.observability import metrics
from service.settings import variables

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "service" / "README.md").read_text("utf-8")
MODELS_PAGE = (ROOT / "models" / "README.md").read_text("utf-8")
AT_START = {"startup_error"}
"""Told in a line on standard error, never over HTTP."""


def codes() -> set[str]:
    classes = [one for module in (errors, refusals) for _, one in inspect.getmembers(module, inspect.isclass)]
    stable = {getattr(one, "code", None) for one in classes}
    return {code for code in stable if isinstance(code, str)} - AT_START


@pytest.mark.parametrize("name", [one.name for one in variables()])
def test_each_setting_has_its_row(name: str) -> None:
    assert f"| `{name}` |" in PAGE


@pytest.mark.parametrize("code", sorted(codes()))
def test_each_refusal_has_its_row(code: str) -> None:
    assert f"| `{code}` |" in PAGE


def test_each_metric_has_its_row() -> None:
    names = [one.name for one in vars(metrics).values() if isinstance(one, MetricWrapperBase) for one in one.describe()]
    assert names
    for name in names:
        assert f"`{name}" in PAGE


def test_no_row_is_of_the_past() -> None:
    known = {one.name for one in variables()}
    assert set(re.findall(r"^\| `(FACE_\w+)` \|", PAGE, re.MULTILINE)) == known


def commands(app: typer.Typer, prefix: str = "") -> Iterator[str]:
    for one in app.registered_commands:
        yield f"{prefix}{one.name or cast('FunctionType', one.callback).__name__}"
    for group in app.registered_groups:
        if group.typer_instance is not None:
            yield from commands(
                group.typer_instance, f"{prefix}{group.name} " if isinstance(group.name, str) else prefix
            )


@pytest.mark.parametrize("name", sorted(commands(models_app)))
def test_each_command_of_models_is_named(name: str) -> None:
    assert re.search(rf"`{name}[ `]", MODELS_PAGE)


@pytest.mark.parametrize("name", RECIPES)
def test_each_recipe_has_its_row(name: str) -> None:
    assert f"| `{name}` |" in MODELS_PAGE
