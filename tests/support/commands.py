"""The commands of `facenet`, run as a person runs them."""

import os
import subprocess

from tests.support.running_service import facenet_command


def run_facenet(*arguments: str, code: int = 0, **environment: str) -> str:
    """Run a command. Check its exit code, and return what it printed: what is for the terminal, then its output."""
    result = subprocess.run(
        facenet_command(*arguments),
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == code, result.stdout + result.stderr
    return result.stderr + result.stdout


def run_for_nobody(*arguments: str, **environment: str) -> tuple[int, str]:
    """Run a command whose output is a pipe that its reader has closed. Return its exit code and its standard error.

    Its output is buffered, as it is in a pipe of a shell.
    """
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    reading, writing = os.pipe()
    os.close(reading)
    try:
        result = subprocess.run(
            facenet_command(*arguments),
            env=inherited | environment,
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
        )
    finally:
        os.close(writing)
    return result.returncode, result.stderr
