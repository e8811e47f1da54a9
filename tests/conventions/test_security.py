"""docs/security.md names tests and commands that exist, and has every point of the two lists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
TESTS = sorted(set(re.findall(r"`(tests/[\w/]+\.py::\w+)`", PAGE)))
COMMANDS = sorted(set(re.findall(r"`make ([a-z-]+)`", PAGE)))


@pytest.mark.parametrize("test", TESTS)
def test_a_named_test_exists(test: str) -> None:
    file, _, name = test.partition("::")
    assert re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_named_command_exists(command: str) -> None:
    assert re.search(rf"^{command}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize("point", [*(f"API{n}" for n in range(1, 11)), *(f"V{n}" for n in range(1, 18))])
def test_every_point_of_the_lists_has_one_row_with_four_cells(point: str) -> None:
    (row,) = re.findall(rf"^\| {point} .*\|$", PAGE, re.MULTILINE)
    assert len(row.split("|")) == 6


def test_every_code_of_a_test_or_command_is_checked() -> None:
    assert len(TESTS) > 30
    assert {"fuzz", "audit", "sbom"} <= set(COMMANDS)
    assert len(re.findall(r"::", PAGE)) == len(re.findall(r"`tests/[\w/]+\.py::\w+`", PAGE)) + 1  # FILE::TEST
