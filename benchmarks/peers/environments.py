"""A virtual environment for each peer, from the Python package index. That of this project is not changed."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


class NotInstalled(Exception):
    """pip could not install a peer. The message is what pip said."""


def open_environment(name: str, folder: Path) -> Path:
    """Return the Python of the environment of a peer. It is made if it is not there, or if its list has changed.

    name: of the list of packages NAME.txt beside this file.
    Raises NotInstalled.
    """
    packages = Path(__file__).parent / f"{name}.txt"
    python = folder / name / "bin" / "python"
    installed = folder / name / "installed.txt"
    if installed.exists() and installed.read_bytes() == packages.read_bytes():
        return python
    _run(sys.executable, "-m", "venv", str(folder / name))
    _run(
        str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-deps", "--requirement", str(packages)
    )
    installed.write_bytes(packages.read_bytes())
    return python


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # pip of the peer
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise NotInstalled(" ".join(errors) or done.stderr.strip())
