"""The container engine, by its command: what the tests of the images need of it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DOCKER = os.environ.get("DOCKER", "docker")
COMPOSE = Path(sys.executable).parent / "docker-compose"
PATIENCE_S = 600
CLOSED = (
    *("--read-only", "--user", "65532:65532", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
    *("--tmpfs", "/tmp:size=512m,mode=1777", "--memory", "1g"),  # noqa: S108  # in the container
)
"""What docker-compose.yml and k8s/ hold the service to."""

DATA = "--volume=/data"
"""A volume without a name, gone with its container."""


def docker(*arguments: str, given: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Its output is kept. given: what it reads."""
    return subprocess.run(
        [DOCKER, *arguments], input=given, capture_output=True, text=True, timeout=PATIENCE_S, check=check
    )


@dataclass(frozen=True, slots=True)
class Container:
    """A container that was started."""

    id: str

    def run(self, *command: str, given: str | None = None) -> str:
        """Something beside what runs in it."""
        return docker("exec", "--interactive", self.id, *command, given=given).stdout

    @property
    def log(self) -> str:
        """All that it has said."""
        said = docker("logs", self.id)
        return said.stdout + said.stderr

    @property
    def state(self) -> dict[str, Any]:
        """As the engine has it: Health, ExitCode, OOMKilled."""
        state: dict[str, Any] = json.loads(docker("inspect", self.id).stdout)[0]["State"]
        return state

    def url(self) -> str:
        """Where the host reaches port 8000."""
        return f"http://{docker('port', self.id, '8000').stdout.splitlines()[0]}"

    def wait(self) -> int:
        """Until it ends; its exit code."""
        return int(docker("wait", self.id).stdout)

    def wait_until_ready(self) -> None:
        """Until the service says so."""
        with subprocess.Popen([DOCKER, "logs", "--follow", self.id], stderr=subprocess.PIPE, text=True) as follower:
            assert follower.stderr is not None
            ready = any('"event": "ready"' in line for line in follower.stderr)
            follower.terminate()
        assert ready, self.log


@contextmanager
def started(image: str, *options: str, command: tuple[str, ...] = ()) -> Iterator[Container]:
    """The container of an image, removed in the end with its volumes."""
    container = Container(docker("run", "--detach", *options, image, *command).stdout.strip())
    try:
        yield container
    finally:
        docker("rm", "--force", "--volumes", container.id)


@contextmanager
def volume() -> Iterator[str]:
    """A named volume."""
    name = docker("volume", "create").stdout.strip()
    try:
        yield name
    finally:
        docker("volume", "rm", "--force", name)
