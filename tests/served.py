"""The service as a process of its own, on a free port, as an operator would start it."""

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

STARTS_WITHIN_S = 60
STOPS_WITHIN_S = 30


@dataclass
class Served:
    """A running service. lines: what it has logged so far."""

    process: subprocess.Popen[str]
    url: str
    lines: list[str] = field(default_factory=list)

    def wait_for(self, text: str) -> None:
        """Until it has logged this."""
        self.wait_until(lambda: any(text in line for line in self.lines))

    def wait_until(self, is_so: Callable[[], bool]) -> None:
        """Until it is so."""
        until = time.monotonic() + STOPS_WITHIN_S
        while not is_so():
            assert time.monotonic() < until, "".join(self.lines)

    def stop(self) -> int:
        """Asks it to end; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOPS_WITHIN_S)

    def kill(self) -> None:
        """Ends it at once, as a power failure would."""
        self.process.kill()
        self.process.wait(STOPS_WITHIN_S)


def command(*arguments: str) -> list[str]:
    """`facenet` of this installation."""
    return [sys.executable, "-m", "service", *arguments]


def environment(data_dir: Path, models_dir: Path, **settings: str) -> dict[str, str]:
    """As on a machine that is nobody's in particular: no CI, no settings but these, a home of its own."""
    inherited = {name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("FACE_")}
    own = {"HOME": str(data_dir.parent), "FACE_DATA_DIR": str(data_dir), "FACE_MODELS__DIR": str(models_dir)}
    return inherited | own | {"FACE_PORT": "0"} | settings


@contextmanager
def serve(data_dir: Path, models_dir: Path, *wrapper: str, **settings: str) -> Iterator[Served]:
    """Starts the service and waits until it is ready. wrapper: a command to start it under, such as strace."""
    process = subprocess.Popen(
        [*wrapper, *command("serve")],
        env=environment(data_dir, models_dir, **settings),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    served = Served(process, "")
    try:
        for line in process.stderr:
            served.lines.append(line)
            if '"event": "ready"' in line:
                served.url = json.loads(line)["url"]
                break
        assert served.url, "".join(served.lines)
        threading.Thread(target=lambda: served.lines.extend(process.stderr or ()), daemon=True).start()
        yield served
    finally:
        if process.poll() is None:
            served.kill()
        process.stderr.close()
