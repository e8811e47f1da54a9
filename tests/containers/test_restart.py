"""A restart under load: every request that the service has read is answered."""

import threading
from collections import Counter
from http import HTTPStatus
from typing import Self

import httpx

from tests.containers.engine import ANONYMOUS_DATA_VOLUME, HARDENING_OPTIONS, docker, run_container

CLIENTS = 8
ANSWERS_BEFORE_AND_AFTER = 20
"""How many answers to wait for before the restart, and again after it."""


class Clients:
    """Clients that send requests in a loop, each over a new connection. counts: how often each outcome occurred."""

    def __init__(self, url: str, files: dict[str, bytes]) -> None:
        self._url, self._files = url, files
        self._answered = threading.Semaphore(0)
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._send_requests) for _ in range(CLIENTS)]
        self.counts: Counter[str] = Counter()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(60)

    def wait(self) -> None:
        """Wait until ANSWERS_BEFORE_AND_AFTER more requests are answered."""
        for _ in range(ANSWERS_BEFORE_AND_AFTER):
            assert self._answered.acquire(timeout=60), self.counts

    def _send_requests(self) -> None:
        while not self._stopped.is_set():
            self.counts[self._outcome()] += 1

    def _outcome(self) -> str:
        try:
            answer = httpx.post(f"{self._url}/verify", files=self._files, timeout=60)
        except httpx.ConnectError:
            self._stopped.wait(0.05)
            return "refused"
        except httpx.TransportError:
            return "cut"
        self._answered.release()
        return HTTPStatus(answer.status_code).phrase


def test_every_request_that_was_read_is_answered(cpu_image: str, obama: bytes, obama2: bytes) -> None:
    with run_container(
        cpu_image,
        *HARDENING_OPTIONS,
        ANONYMOUS_DATA_VOLUME,
        "--network=host",
        "--env=FACE_HOST=127.0.0.1",
        "--env=FACE_PORT=18080",
    ) as service:
        service.wait_until_ready()
        with Clients("http://127.0.0.1:18080", {"image_a": obama, "image_b": obama2}) as clients:
            clients.wait()
            docker("restart", "--time=40", service.id)
            clients.wait()
        assert clients.counts.keys() <= {"OK", "refused", "cut"}
        # A connection that was still in the queue of the listener was not read. Its client cannot detect this.
        assert clients.counts["cut"] <= CLIENTS, clients.counts
