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
