"""The container engine, called by its command."""

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
TIMEOUT_S = 600
HARDENING_OPTIONS = (
    *("--read-only", "--user", "65532:65532", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
    *("--tmpfs", "/tmp:size=512m,mode=1777", "--memory", "1g"),  # noqa: S108  # in the container
)
"""The restrictions that docker-compose.yml and k8s/ also set."""

WITHOUT_KEYS = "--env=FACE_INSECURE=yes"
"""In its container the service listens on all addresses, so without keys it starts only with this."""

ANONYMOUS_DATA_VOLUME = "--volume=/data"
"""A volume without a name. It is removed with its container."""


def docker(*arguments: str, stdin: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command of the engine, and capture its output. stdin: the text of its standard input."""
    return subprocess.run(
        [DOCKER, *arguments], input=stdin, capture_output=True, text=True, timeout=TIMEOUT_S, check=check
    )


@dataclass(frozen=True, slots=True)
class Container:
    """A container that was started."""

    id: str

    def run(self, *command: str, stdin: str | None = None) -> str:
        """Run a command in the container, and return its output. stdin: the text of its standard input."""
        return docker("exec", "--interactive", self.id, *command, stdin=stdin).stdout

    @property
    def log(self) -> str:
        """The standard output and the standard error of the container."""
        logs = docker("logs", self.id)
        return logs.stdout + logs.stderr

    @property
    def state(self) -> dict[str, Any]:
        """The state from the engine. Its keys include Health, ExitCode and OOMKilled."""
        state: dict[str, Any] = json.loads(docker("inspect", self.id).stdout)[0]["State"]
        return state

    def url(self) -> str:
        """Return the URL of port 8000 of the container, as the host reaches it."""
        return f"http://{docker('port', self.id, '8000').stdout.splitlines()[0]}"

    def wait(self) -> int:
        """Wait until the container ends, and return its exit code."""
        return int(docker("wait", self.id).stdout)

    def wait_until_ready(self) -> None:
        """Wait until the service logs that it is ready."""
        with subprocess.Popen([DOCKER, "logs", "--follow", self.id], stderr=subprocess.PIPE, text=True) as follower:
            assert follower.stderr is not None
            ready = any('"event": "ready"' in line for line in follower.stderr)
            follower.terminate()
        assert ready, self.log


@contextmanager
def run_container(image: str, *options: str, command: tuple[str, ...] = ()) -> Iterator[Container]:
    """Run an image in a container. Remove the container and its volumes at the end."""
    container = Container(docker("run", "--detach", *options, image, *command).stdout.strip())
    try:
        yield container
    finally:
        docker("rm", "--force", "--volumes", container.id)


@contextmanager
def create_volume() -> Iterator[str]:
    """Create a named volume, and yield its name. Remove it at the end."""
    name = docker("volume", "create").stdout.strip()
    try:
        yield name
    finally:
        docker("volume", "rm", "--force", name)
