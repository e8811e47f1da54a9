"""What the documents promise: a row for each setting, refusal and metric."""

import inspect
import re
from pathlib import Path

import pytest
from prometheus_client.metrics import MetricWrapperBase

from service import errors
from service.api import refusals
from service.observability import metrics
from service.settings import variables

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "service" / "README.md").read_text("utf-8")
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
