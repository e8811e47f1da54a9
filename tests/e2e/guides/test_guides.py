"""The guides: each command prints what its page says. They run in the order of the page."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.conftest import ROOT
from tests.support.documents import code_blocks
from tests.support.page_commands import console_commands, pattern_of, project_folder, run_commands, run_python
from tests.support.running_service import RunningService

pytestmark = pytest.mark.slow

START = ROOT / "docs" / "start.md"


@pytest.fixture
def folder(tmp_path: Path, photographs: Path) -> Path:  # noqa: ARG001  # the commands read the photographs
    return project_folder(tmp_path)


@pytest.mark.parametrize("name", ["start.md", "api.md", "troubleshooting.md"])
def test_each_command_prints_what_the_page_says(service: RunningService, folder: Path, name: str) -> None:
    forget_collections(service)
    commands = list(console_commands(ROOT / "docs" / name))
    printed = run_commands(commands, service.url, folder)
    assert len(printed) == len(commands) > 1
    for command, text in zip(commands, printed, strict=True):
        assert re.fullmatch(pattern_of(command.prints), text), f"{command.line}\n{text}"


def test_the_python_of_the_start_prints_what_it_says(
    service: RunningService, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    forget_collections(service)
    names = run_python(START, service.url, capsys)
    names["client"].close()


def test_the_javascript_of_the_start_prints_in_node_what_it_says(service: RunningService, folder: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    forget_collections(service)
    (block,) = code_blocks(START, "js")
    (folder / "first.mjs").write_text(block.code, "utf-8")
    environment = os.environ | {"FACENET_URL": service.url}
    result = subprocess.run(
        [node, "first.mjs"], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (result.stdout, result.stderr) == (block.prints, "")


def test_the_distances_of_another_program_are_converted_as_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    run_python(ROOT / "docs" / "coming-from.md", "", capsys)


def forget_collections(service: RunningService) -> None:
    """Delete what another page has enrolled."""
    for collection in httpx.get(f"{service.url}/collections").json()["items"]:
        httpx.delete(f"{service.url}/collections/{collection['id']}").raise_for_status()
