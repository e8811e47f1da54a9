"""docs/deployment-checklist.md: its settings start a service, and each check prints what the page says.

The proxy with TLS is left out: its address is that of the service here.
"""

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.documents import code_blocks
from tests.support.page_commands import Command, console_commands, pattern_of, project_folder, run_commands
from tests.support.running_service import run_service

pytestmark = pytest.mark.slow

PAGE = ROOT / "docs" / "deployment-checklist.md"
PROXY = "https://faces.example.com"


def test_the_settings_start_a_service_and_each_check_prints_what_the_page_says(
    models_dir: Path, tmp_path: Path
) -> None:
    folder = project_folder(tmp_path)
    (settings,) = (in_folder(block.code, folder, models_dir) for block in code_blocks(PAGE, "bash"))
    (folder / "etc").mkdir()
    (folder / "etc" / "facenet.env").write_text(settings, "utf-8")
    commands = [
        Command(in_folder(command.line, folder, models_dir), in_folder(command.prints, folder, models_dir))
        for command in console_commands(PAGE)
    ]
    keys = [command for command in commands if "generate" in command.line or "encryption-key" in command.line]
    checks = [command for command in commands if command not in keys]
    check(keys, "http://127.0.0.1:8000", folder)
    values = dict(line.split("=", 1) for line in settings.splitlines() if not line.startswith("#"))
    data_dir = Path(values.pop("FACE_DATA_DIR"))
    with run_service(data_dir, models_dir, **values) as service:
        checks = [command._replace(line=command.line.replace(PROXY, service.url)) for command in checks]
        check(checks, service.url, folder)


def in_folder(text: str, folder: Path, models_dir: Path) -> str:
    """Return a text with the folders of the page below a folder of the test, and with the folder of the models."""
    moved = text.replace("/etc/facenet", f"{folder}/etc").replace("/var/lib", f"{folder}")
    return moved.replace("/opt/facenet/var/models", str(models_dir))


def check(commands: list[Command], url: str, folder: Path) -> None:
    """Run commands, and compare what each prints."""
    for command, text in zip(commands, run_commands(commands, url, folder), strict=True):
        assert re.fullmatch(pattern_of(command.prints), text), f"{command.line}\n{text}"
