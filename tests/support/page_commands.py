"""The code of a page is run as a reader runs it beside a service: commands in one shell, and Python."""

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.documents import code_blocks

ROOT = Path(__file__).parents[2]
LOCAL = "http://127.0.0.1:8000"
NOT_RUN = re.compile(r"(\w+=\S+ )*(make|facenet serve)\b")
"""Commands that set up or serve. Tests have a service already."""

END = "--- end of a command ---"
TIMEOUT_S = 120


class Command(NamedTuple):
    """A command of a page. prints: the lines after it, without the last line break."""

    line: str
    prints: str


def console_commands(page: Path) -> Iterator[Command]:
    """Yield the commands of the console blocks of a page, in order. Each begins with `$`."""
    for block in code_blocks(page, "console"):
        for command in re.split(r"^\$ ", block.code, flags=re.MULTILINE)[1:]:
            line, prints = re.fullmatch(r"((?:.*\\\n)*.*)\n((?s:.*))", command).groups()  # type: ignore[union-attr]
            if not NOT_RUN.match(line):
                yield Command(line, prints.rstrip("\n"))


def project_folder(folder: Path) -> Path:
    """Make a folder that looks like that of the project after `make demo`: commands see models and photographs."""
    (folder / "var" / "models").mkdir(parents=True)
    for file in (ROOT / "var" / "models").iterdir():
        (folder / "var" / "models" / file.name).symlink_to(file.resolve())  # a new model is written beside them
    (folder / "var" / "photographs").symlink_to((ROOT / "var" / "photographs").resolve())
    (folder / "bin").mkdir()
    for name, module in (("facenet", "service"), ("facenet-models", "models")):
        program = folder / "bin" / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n', "utf-8")
        program.chmod(0o755)
    return folder


def run_commands(commands: Iterable[Command], url: str, folder: Path, timeout_s: float = TIMEOUT_S) -> list[str]:
    """Run commands in one shell, in a folder of project_folder, against the service at this address.

    Returns what each prints, as the page would have it. The first that fails ends all.
    """
    script = "set -eo pipefail\n" + "".join(f"{command.line}\necho; echo '{END}'\n" for command in commands)
    own = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": os.pathsep.join(sys.path)}
    own |= {"FACENET_URL": url, "FACE_PORT": url.rpartition(":")[2], "HOME": str(folder)}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("FACE_", "FACENET_"))}
    result = subprocess.run(
        ["/bin/bash", "-c", script.replace(LOCAL, url)],
        cwd=folder,
        env=inherited | own,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return [printed.strip("\n") for printed in result.stdout.replace(url, LOCAL).split(END)[:-1]]


def pattern_of(expected: str) -> str:
    """Return the pattern of an output: `...` stands for any text, and a number with a point for any such number.

    A line with `...` alone stands for any lines.
    """
    pattern = re.sub(r"^\\\.\\\.\\\.(\\\n|$)", r"(?s:.*)\1", re.escape(expected), flags=re.MULTILINE)
    pattern = pattern.replace(re.escape("..."), ".*")
    return re.sub(r"[0-9]+\\\.[0-9]+(?!\\\.)(?![0-9])", r"[0-9]+\\.[0-9]+", pattern)


def run_python(page: Path, url: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Run the Python of a page against the service at this address, and check what each block prints.

    Returns the names that it has defined.
    """
    names: dict[str, Any] = {}
    blocks = list(code_blocks(page, "python"))
    assert blocks
    for block in blocks:
        exec(compile(block.code.replace(LOCAL, url), page.name, "exec"), names)  # noqa: S102  # the page
        assert capsys.readouterr().out == (block.prints or ""), block.code
    return names
