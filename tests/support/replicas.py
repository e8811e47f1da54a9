"""Replicas of the service on one database, a proxy in front of them, and clients that are not to notice a restart."""

import socket
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import ClassVar

import httpx
import numpy as np

from tests.support.running_service import STOP_TIMEOUT_S, RunningService, run_service

CHECK_INTERVAL_S = 0.2
DRAIN_DELAY_S = 3
"""Several times as long as the proxy needs to notice that a replica is not ready."""
CLIENTS = 8
HOP_BY_HOP = {"connection", "transfer-encoding", "date"}


class Replica:
    """One replica: a process that is replaced, at an address that stays.

    ready: what the proxy knows of it. served: how many requests the proxy has passed on to it.
    """

    def __init__(self, folder: Path, models_dir: Path, **settings: str) -> None:
        self._folder, self._models_dir = folder, models_dir
        self._settings = settings | {"FACE_PORT": str(_free_port())}
        self._running = ExitStack()
        self.url = f"http://127.0.0.1:{self._settings['FACE_PORT']}"
        self.service: RunningService | None = None
        self.ready = False
        self.served = 0

    def start(self) -> None:
        """Start a process, and wait until it is ready."""
        self.service = self._running.enter_context(
            run_service(self._folder / "data", self._models_dir, **self._settings)
        )

    def restart(self) -> int:
        """Stop the process as an orchestrator does, start another one, and return the exit code of the old one."""
        assert self.service is not None
        code = self.service.stop()
        self.start()
        return code

    def end(self) -> None:
        self._running.close()


class Proxy:
    """Passes each request on to a replica that is ready, in turn. A request is sent once, whatever happens."""

    def __init__(self, replicas: list[Replica]) -> None:
        self.replicas = replicas
        self._turns = count()
        # Idle connections end before a replica that is told to stop closes them.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=DRAIN_DELAY_S / 3)
        self._client = httpx.Client(limits=limits, timeout=60)

    def check(self, ended: threading.Event) -> None:
        """Ask the replicas whether they are ready, until the event is set."""
        while not ended.wait(CHECK_INTERVAL_S):
            for replica in self.replicas:
                replica.ready = self._is_ready(replica)

    def send(self, method: str, path: str, headers: dict[str, str], body: bytes) -> httpx.Response:
        """Send a request to the next replica. Raises httpx.TransportError, and ZeroDivisionError if none is ready."""
        ready = [replica for replica in self.replicas if replica.ready]
        replica = ready[next(self._turns) % len(ready)]
        replica.served += 1
        return self._client.request(method, replica.url + path, content=body, headers=headers)

    def close(self) -> None:
        """Close the connections to the replicas."""
        self._client.close()

    def _is_ready(self, replica: Replica) -> bool:
        try:
            return self._client.get(f"{replica.url}/readyz", timeout=1).status_code == HTTPStatus.OK
        except httpx.TransportError:
            return False


class _Handler(BaseHTTPRequestHandler):
    proxy: ClassVar[Proxy]

    def pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        try:
            answer = self.proxy.send(self.command, self.path, headers, body)
        except (httpx.TransportError, ZeroDivisionError) as error:
            self.send_error(HTTPStatus.BAD_GATEWAY, repr(error))
            return
        self.send_response(answer.status_code)
        self.send_header("Content-Type", answer.headers.get("content-type", ""))
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    do_GET = do_POST = do_PUT = do_DELETE = pass_on  # noqa: N815  # the names that http.server calls

    def log_message(self, *_: object) -> None:
        """Write nothing."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 128


@contextmanager
def run_proxy(replicas: list[Replica]) -> Iterator[str]:
    """Yield the address of a proxy in front of the replicas, when it knows that they are ready."""
    proxy, ended = Proxy(replicas), threading.Event()
    checks = threading.Thread(target=proxy.check, args=(ended,), daemon=True)
    checks.start()
    with _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": proxy})) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        wait_until_ready(replicas)
        yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()
    ended.set()
    checks.join()
    proxy.close()


def wait_until_ready(replicas: list[Replica]) -> None:
    """Wait until the proxy passes requests on to each of the replicas."""
    deadline_s = time.monotonic() + STOP_TIMEOUT_S
    while not all(replica.ready for replica in replicas):
        assert time.monotonic() < deadline_s
        time.sleep(CHECK_INTERVAL_S)


class Clients:
    """Clients that enrol and identify through the proxy, until they are told to end.

    answers: how many requests got each status. lost: the requests without an answer, and those that were refused.
    enrolled: the subjects whose enrolment was acknowledged. not_found: those that the next search did not find.
    """

    def __init__(self, url: str, key: str, model: str, photograph: bytes) -> None:
        self._url, self._headers, self._model, self._photograph = url, {"x-api-key": key}, model, photograph
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._work) for _ in range(CLIENTS)]
        self._lock = threading.Lock()
        self.answers: Counter[int] = Counter()
        self.lost: list[str] = []
        self.enrolled: list[str] = []
        self.not_found: list[str] = []

    @contextmanager
    def working(self) -> Iterator[None]:
        """Let them work until the context ends."""
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            for thread in self._threads:
                thread.join(120)

    def wait_for_answers(self, number: int) -> None:
        """Wait until this many more requests were answered."""
        target, deadline_s = self.answers.total() + number, time.monotonic() + 120
        while self.answers.total() < target:
            assert time.monotonic() < deadline_s, self.lost
            time.sleep(0.05)

    def _work(self) -> None:
        rng = np.random.default_rng()
        with httpx.Client(base_url=self._url, headers=self._headers, timeout=60) as client:
            for turn in count():
                if self._ended.is_set():
                    return
                self._enrol_and_identify(client, rng)
                if turn % 5 == 0:
                    self._send(client, "POST", "/identify", files={"image": self._photograph})

    def _enrol_and_identify(self, client: httpx.Client, rng: np.random.Generator) -> None:
        subject, vector = uuid.uuid4().hex, rng.normal(size=128)
        embedding = (vector / np.linalg.norm(vector)).tolist()
        sent = {"embedding": embedding, "model": self._model}
        self._send(client, "PUT", f"/collections/default/subjects/{subject}", json={})
        path = f"/collections/default/subjects/{subject}/faces"
        stored = self._send(client, "POST", path, json={"images": [sent]})
        found = self._send(client, "POST", "/identify?k=1&threshold=0.01", json={"image": sent})
        if stored is None or stored.status_code != HTTPStatus.CREATED:
            return
        self.enrolled.append(subject)
        if found is None or found.status_code != HTTPStatus.OK or found.json()["faces"][0]["subject"] != subject:
            self.not_found.append(subject)

    def _send(self, client: httpx.Client, method: str, path: str, **content: object) -> httpx.Response | None:
        try:
            answer = client.request(method, path, **content)  # type: ignore[arg-type]  # json or files
        except httpx.TransportError as error:
            with self._lock:
                self.lost.append(f"{method} {path}: {error!r}")
            return None
        with self._lock:
            self.answers[answer.status_code] += 1
            if answer.status_code >= HTTPStatus.BAD_REQUEST:
                self.lost.append(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer


def _free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])
