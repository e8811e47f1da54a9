"""docs/commands.md: each example prints what the page says."""

import re
import shlex
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.page_commands import console_commands, pattern_of, project_folder, run_commands
from tests.support.running_service import RunningService

EXAMPLES = list(console_commands(ROOT / "docs" / "commands.md"))


def test_the_page_has_an_example_of_each_command_for_photographs() -> None:
    assert [shlex.split(example.line)[1] for example in EXAMPLES] == [
        "enrol",
        "cluster",
        "identify",
        "verify",
        "compare",
        "doctor",
        "settings",
    ]


@pytest.mark.slow
def test_each_example_prints_what_the_page_says(service: RunningService, tmp_path: Path) -> None:
    """They are run in their order: those who are enrolled by the first one are identified later."""
    printed = run_commands(EXAMPLES, service.url, project_folder(tmp_path))
    for example, text in zip(EXAMPLES, printed, strict=True):
        assert re.fullmatch(pattern_of(example.prints), text), text
