"""The service in its own process, on a free port, started as an operator starts it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 30


@dataclass
class RunningService:
    """A running service. log_lines: what it has logged until now."""

    process: subprocess.Popen[str]
    url: str
    log_lines: list[str] = field(default_factory=list)

    def wait_for_log(self, text: str) -> None:
        """Wait until a line of the log contains the text."""
        self.wait_until(lambda: any(text in line for line in self.log_lines))

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition is true. Fail with the log if that takes too long."""
        deadline_s = time.monotonic() + STOP_TIMEOUT_S
        while not condition():
            assert time.monotonic() < deadline_s, "".join(self.log_lines)

    def stop(self) -> int:
        """Send SIGTERM, wait for the end of the process, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_TIMEOUT_S)

    def kill(self) -> None:
        """End the process at once, as a power failure does."""
        self.process.kill()
        self.process.wait(STOP_TIMEOUT_S)


def facenet_command(*arguments: str) -> list[str]:
    """Return the command line of `facenet`, in this installation."""
    return [sys.executable, "-m", "service", *arguments]


def service_environment(data_dir: Path, models_dir: Path, **settings: str) -> dict[str, str]:
    """Return the environment of a service on a clean machine.

    CI is not set, no FACE_ variable is inherited, and HOME is the parent of the data directory.
    """
    inherited = {name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("FACE_")}
    own = {"HOME": str(data_dir.parent), "FACE_DATA_DIR": str(data_dir), "FACE_MODELS__DIR": str(models_dir)}
    return inherited | own | {"FACE_PORT": "0"} | settings


@contextmanager
def run_service(data_dir: Path, models_dir: Path, *wrapper: str, **settings: str) -> Iterator[RunningService]:
    """Start the service and wait until it is ready. At the end, kill it if it still runs.

    wrapper: a command that starts it, such as strace.
    """
    process = subprocess.Popen(
        [*wrapper, *facenet_command("serve")],
        env=service_environment(data_dir, models_dir, **settings),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    service = RunningService(process, "")
    try:
        for line in process.stderr:
            service.log_lines.append(line)
            if '"event": "ready"' in line:
                service.url = json.loads(line)["url"]
                break
        assert service.url, "".join(service.log_lines)
        threading.Thread(target=lambda: service.log_lines.extend(process.stderr or ()), daemon=True).start()
        yield service
    finally:
        if process.poll() is None:
            service.kill()
        process.stderr.close()
