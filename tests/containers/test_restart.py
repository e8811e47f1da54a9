"""A restart under load: what was read is answered; connections that found nobody are counted apart."""

import threading
from collections import Counter
from http import HTTPStatus
from typing import Self

import httpx

from tests.containers.engine import CLOSED, DATA, docker, started

CLIENTS = 8
ANSWERS_AROUND_IT = 20
"""Before the restart, and again after it."""


class Clients:
    """Each asks again and again, over a connection of its own each time. counts: how it went."""

    def __init__(self, url: str, files: dict[str, bytes]) -> None:
        self._url, self._files = url, files
        self._answered = threading.Semaphore(0)
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]
        self.counts: Counter[str] = Counter()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(60)

    def wait(self) -> None:
        """Until some more were answered."""
        for _ in range(ANSWERS_AROUND_IT):
            assert self._answered.acquire(timeout=60), self.counts

    def _ask(self) -> None:
        while not self._over.is_set():
            self.counts[self._outcome()] += 1

    def _outcome(self) -> str:
        try:
            answer = httpx.post(f"{self._url}/verify", files=self._files, timeout=60)
        except httpx.ConnectError:
            self._over.wait(0.05)
            return "refused"
        except httpx.TransportError:
            return "cut"
        self._answered.release()
        return HTTPStatus(answer.status_code).phrase


def test_what_was_read_is_answered(cpu: str, obama: bytes, obama2: bytes) -> None:
    with started(cpu, *CLOSED, DATA, "--network=host", "--env=FACE_HOST=127.0.0.1", "--env=FACE_PORT=18080") as service:
        service.wait_until_ready()
        with Clients("http://127.0.0.1:18080", {"image_a": obama, "image_b": obama2}) as clients:
            clients.wait()
            docker("restart", "--time=40", service.id)
            clients.wait()
        assert clients.counts.keys() <= {"OK", "refused", "cut"}
        # Whoever waited in the listener's queue as it closed was not read, and cannot tell.
        assert clients.counts["cut"] <= CLIENTS, clients.counts
