"""The README files have a row for each setting, problem, metric and recipe, and name each command.

The paths in docs/architecture.md exist.
"""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType
from typing import cast

import pytest
import typer
from prometheus_client.metrics import MetricWrapperBase

from models.commands.app import app as models_app
from models.training.recipes.recipes import RECIPES
from service.api import problems
from service.domain import access_errors, errors
from service.observability import metrics
from service.settings.environment import list_variables

ROOT = Path(__file__).parents[2]
SERVICE_README = (ROOT / "service" / "README.md").read_text("utf-8")
MODELS_README = (ROOT / "models" / "README.md").read_text("utf-8")
WHERE_IS = (ROOT / "docs" / "architecture.md").read_text("utf-8").partition("## Where is ...")[2].partition("\n## ")[0]
STARTUP_CODES = {"startup_error"}
"""Codes of errors that stop the start. They are printed on standard error, and are never in an answer."""


def problem_codes() -> set[str]:
    classes = [
        member
        for module in (errors, access_errors, problems)
        for _, member in inspect.getmembers(module, inspect.isclass)
    ]
    class_codes = {getattr(cls, "code", None) for cls in classes}
    return {code for code in class_codes if isinstance(code, str)} - STARTUP_CODES


@pytest.mark.parametrize("name", [variable.name for variable in list_variables()])
def test_each_setting_has_a_row(name: str) -> None:
    assert f"| `{name}` |" in SERVICE_README


@pytest.mark.parametrize("code", sorted(problem_codes()))
def test_each_problem_has_a_row(code: str) -> None:
    assert f"| `{code}` |" in SERVICE_README


def test_each_metric_has_a_row() -> None:
    names = [
        family.name
        for metric in vars(metrics).values()
        if isinstance(metric, MetricWrapperBase)
        for family in metric.describe()
    ]
    assert names
    for name in names:
        assert f"`{name}" in SERVICE_README


def test_every_setting_with_a_row_exists() -> None:
    names = {variable.name for variable in list_variables()}
    assert set(re.findall(r"^\| `(FACE_\w+)` \|", SERVICE_README, re.MULTILINE)) == names


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`([\w./]+/[\w./]*)`", WHERE_IS))))
def test_each_path_of_the_table_of_places_exists(path: str) -> None:
    assert (ROOT / path).exists()


def test_the_table_of_places_has_a_path_in_each_row() -> None:
    rows = [row for row in WHERE_IS.splitlines() if row.startswith("| ")][1:]
    assert rows
    assert [row for row in rows if not re.search(r"`(service|models)/[\w./]*`", row)] == []


def command_names(app: typer.Typer, prefix: str = "") -> Iterator[str]:
    for command in app.registered_commands:
        yield f"{prefix}{command.name or cast('FunctionType', command.callback).__name__}"
    for group in app.registered_groups:
        if group.typer_instance is not None:
            yield from command_names(
                group.typer_instance, f"{prefix}{group.name} " if isinstance(group.name, str) else prefix
            )


@pytest.mark.parametrize("name", sorted(command_names(models_app)))
def test_each_command_of_facenet_models_is_named(name: str) -> None:
    assert re.search(rf"`{name}[ `]", MODELS_README)


@pytest.mark.parametrize("name", RECIPES)
def test_each_recipe_has_a_row(name: str) -> None:
    assert f"| `{name}` |" in MODELS_README
