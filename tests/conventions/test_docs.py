"""The README files have a row for each setting, metric and recipe, and name each command.

docs/troubleshooting.md has a row for each problem. The paths in docs/architecture.md exist, and so do the pages, the
headings and the routes that the pages name.
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
from service.__main__ import app as facenet_app
from service.api.errors import http_errors
from service.api.errors.http_errors import HttpError
from service.api.problems import STATUS
from service.domain import access_errors, errors
from service.observability import metrics
from service.settings.environment import list_variables

ROOT = Path(__file__).parents[2]
SERVICE_README = (ROOT / "service" / "README.md").read_text("utf-8")
MODELS_README = (ROOT / "models" / "README.md").read_text("utf-8")
COMMANDS_PAGE = (ROOT / "docs" / "commands.md").read_text("utf-8")
TROUBLESHOOTING = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
PROBLEM_ROWS = dict(re.findall(r"^\| `([a-z_]+)` \| ([^|]+) \|", TROUBLESHOOTING, re.MULTILINE))
"""The status of each code, as the page has it."""

WHERE_IS = (ROOT / "docs" / "architecture.md").read_text("utf-8").partition("## Where is ...")[2].partition("\n## ")[0]
STARTUP_CODES = {"startup_error"}
"""Codes of errors that stop the start. They are printed on standard error, and are never in an answer."""

CODES_WITHOUT_A_CLASS = {
    "internal_error": "500",
    "known_elsewhere": "in `results`",
    "low_quality": "in `results`",
    "method_not_allowed": "405",
    "not_found": "404",
    "invalid_line": "in a line of the answer",
}
"""Codes that an answer can have without an error of their own, with their statuses."""


def problem_codes() -> set[str]:
    classes = [
        member
        for module in (errors, access_errors, http_errors)
        for _, member in inspect.getmembers(module, inspect.isclass)
    ]
    class_codes = {getattr(cls, "code", None) for cls in classes}
    return {code for code in class_codes if isinstance(code, str)} - STARTUP_CODES


@pytest.mark.parametrize("name", [variable.name for variable in list_variables()])
def test_each_setting_has_a_row(name: str) -> None:
    assert f"| `{name}` |" in SERVICE_README


def problem_statuses() -> dict[str, str]:
    """Return the status of each error that has one."""
    domain = {kind.code: status for kind, status in STATUS.items()}
    http = {kind.code: kind.status for kind in HttpError.__subclasses__()}
    return {code: str(int(status)) for code, status in (domain | http).items()}


@pytest.mark.parametrize("code", sorted(problem_codes()))
def test_each_problem_has_a_row(code: str) -> None:
    assert code in PROBLEM_ROWS


def test_every_problem_with_a_row_exists_and_has_its_status() -> None:
    assert problem_statuses() | CODES_WITHOUT_A_CLASS == PROBLEM_ROWS


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


@pytest.mark.parametrize("name", sorted({name.split()[0].replace("_", "-") for name in command_names(facenet_app)}))
def test_each_command_of_facenet_is_on_its_page(name: str) -> None:
    assert re.search(rf"`facenet {name}[ `]", COMMANDS_PAGE)


@pytest.mark.parametrize("name", RECIPES)
def test_each_recipe_has_a_row(name: str) -> None:
    assert f"| `{name}` |" in MODELS_README
