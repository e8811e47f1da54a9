"""`make run` passes settings on to the service."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def served_with(*arguments: str, **environment: str) -> dict[str, str]:
    """Return the settings that `make run` gives to `facenet serve`. Nothing is run."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("FACE_", "MAKE"))}
    command = ["make", "--dry-run", "run", *arguments]
    printed = subprocess.run(command, cwd=ROOT, env=clean | environment, capture_output=True, text=True, check=True)
    last = printed.stdout.replace("\\\n", "").splitlines()[-1]
    return dict(one.split("=", 1) for one in last.split() if one.startswith("FACE_"))


@pytest.mark.parametrize(
    ("arguments", "environment", "name", "value"),
    [
        ([], {}, "FACE_HOST", "127.0.0.1"),
        ([], {"FACE_HOST": "0.0.0.0"}, "FACE_HOST", "0.0.0.0"),  # noqa: S104  # nothing listens
        (["HOST=::1"], {"FACE_HOST": "0.0.0.0"}, "FACE_HOST", "::1"),  # noqa: S104
        ([], {"FACE_PORT": "8001"}, "FACE_PORT", "8001"),
        (["PORT=8002"], {"FACE_PORT": "8001"}, "FACE_PORT", "8002"),
        ([], {"FACE_MODELS__EMBEDDER": "compact"}, "FACE_MODELS__EMBEDDER", "compact"),
        ([], {}, "FACE_LOG__FORMAT", "console"),
        ([], {"FACE_LOG__FORMAT": "json"}, "FACE_LOG__FORMAT", "json"),
        (["TARGET=gpu"], {}, "FACE_INFERENCE__PROVIDER", "cuda"),
        ([], {"FACE_INFERENCE__PROVIDER": "openvino"}, "FACE_INFERENCE__PROVIDER", "openvino"),
    ],
)
def test_make_run_serves_with_the_settings_of_its_arguments_then_of_the_environment(
    arguments: list[str], environment: dict[str, str], name: str, value: str
) -> None:
    assert served_with(*arguments, **environment)[name] == value
