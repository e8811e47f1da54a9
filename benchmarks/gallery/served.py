"""A collection of the running service, as its clients see it."""

import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import httpx

from benchmarks import load
from service.gallery.indexes.segments.segmented import REST_S
from service.gallery.search.in_memory.search import REWRITES_S
from tests.support.running_service import RunningService

LINES_A_REQUEST = 10_000
SEARCHES_AT_ONCE = 50
"""So many searches are sent beside an import, or while segments are made, before it is asked whether that goes on."""
IDLE_S = 1.0
TIMEOUT_S = 600
SETTLE_TIMEOUT_S = 600
AGREEMENT_TIMEOUT_S = 1200
"""After a comparison, the service waits 20 times as long as it took. It begins the first one during the import."""
AGREEMENT_REST = timedelta(seconds=300)
"""An index that was not compared for so long is not rewritten: a comparison of a million faces takes less than 15 s."""
IDLE_SHARE = 0.2
"""The service is idle if it uses less than this share of one core for IDLE_S."""


@dataclass(frozen=True, slots=True)
class ServedCollection:
    """A collection, and the process of the load generator.

    model: the id of the loaded model.
    """

    service: RunningService
    generator: ProcessPoolExecutor
    name: str
    model: str

    @classmethod
    def create(cls, service: RunningService, generator: ProcessPoolExecutor, name: str) -> "ServedCollection":
        """Create the collection."""
        httpx.put(f"{service.url}/collections/{name}").raise_for_status()
        return cls(service, generator, name, httpx.get(f"{service.url}/model").json()["id"])

    @property
    def path(self) -> str:
        """The path of the collection."""
        return f"/collections/{self.name}"

    def import_lines(self, lines: Iterable[bytes]) -> float:
        """Enrol faces in large requests, one after the other. Return the seconds from sending to the answer, of all."""
        spent_s = 0.0
        for body in _joined(lines):
            request = self.request("POST", f"{self.path}/faces", body, "application/x-ndjson")
            exchange = self.exchange([request], 1)
            spent_s += exchange.wall_s
            results = exchange.answers[0].body.splitlines()
            if len(results) != body.count(b"\n") or not all(b'"enrolled"' in result for result in results):
                raise ValueError(f"not all faces were enrolled: {results[-1].decode(errors='replace')}")
        return spent_s

    def import_beside(self, lines: Iterable[bytes]) -> None:
        """Enrol faces in large requests from this process, while the load generator does something else."""
        for body in _joined(lines):
            url, headers = f"{self.service.url}{self.path}/faces", {"content-type": "application/x-ndjson"}
            httpx.post(url, content=body, headers=headers, timeout=TIMEOUT_S).raise_for_status()

    @property
    def is_working(self) -> bool:
        """Whether the service uses the CPU although no request waits, measured for IDLE_S: it makes segments."""
        before_s = load.cpu_s_of(self.service.process.pid)
        time.sleep(IDLE_S)
        return load.cpu_s_of(self.service.process.pid) - before_s > IDLE_SHARE * IDLE_S

    def wait_for_agreement(self) -> float:
        """Wait until the service has compared the index as it stays with exact search. Return the agreement.

        Before that, the last new faces can become a segment. The agreement is 1 if the index is exact. The comparison
        of a million faces uses a core for some seconds, so searches are measured after it. Raises TimeoutError.
        """
        time.sleep(REST_S + 2 * REWRITES_S)
        rested_at, deadline_s = datetime.now(UTC), time.monotonic() + AGREEMENT_TIMEOUT_S
        while time.monotonic() < deadline_s:
            index = httpx.get(f"{self.service.url}{self.path}").raise_for_status().json()["index"]
            if index["exact"]:
                return 1.0
            if index["agreement"]:
                measured_at = datetime.fromisoformat(index["agreement"]["measured_at"])
                if measured_at >= rested_at or datetime.now(UTC) - measured_at >= AGREEMENT_REST:
                    return float(index["agreement"]["share"])
            time.sleep(IDLE_S)
        raise TimeoutError(f"the index was not compared with exact search within {AGREEMENT_TIMEOUT_S} s")

    def wait_until_searchable(self, body: bytes) -> None:
        """Wait until a search is answered. Until then, it is refused with 503."""
        request = self.request("POST", f"/identify?collection={self.name}", body)
        while self._exchange([request], 1).answers[0].status != 200:
            time.sleep(0.02)

    def identify(self, bodies: Sequence[bytes], clients: int) -> load.Exchange:
        """Search each of the probes once. Raises ValueError if one is not answered."""
        path = f"/identify?collection={self.name}"
        return self.exchange([self.request("POST", path, body) for body in bodies], clients)

    def identify_while_it_works(self, bodies: Sequence[bytes]) -> list[float]:
        """Search until the service makes no segment any more. Return the seconds of each search before that.

        Raises TimeoutError.
        """
        latencies_s: list[float] = []
        end_s = time.monotonic() + SETTLE_TIMEOUT_S
        found = self.identify(bodies[:SEARCHES_AT_ONCE], 1)
        while self.is_working:
            latencies_s += found.latencies_s
            if time.monotonic() > end_s:
                raise TimeoutError(f"the service is not idle after {SETTLE_TIMEOUT_S} s")
            found = self.identify(bodies[:SEARCHES_AT_ONCE], 1)
        return latencies_s

    def exchange(self, requests: Sequence[bytes], clients: int) -> load.Exchange:
        """Send requests from the process of the load generator. Raises ValueError if one does not succeed."""
        exchange = self._exchange(requests, clients)
        for answer in exchange.answers:
            if not 200 <= answer.status < 300:
                raise ValueError(f"{answer.status}: {answer.body[:500].decode(errors='replace')}")
        return exchange

    def request(self, method: str, path: str, body: bytes = b"", content_type: str = "application/json") -> bytes:
        """Return an HTTP request."""
        host = httpx.URL(self.service.url).netloc.decode()
        head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n"
        return f"{head}Content-Type: {content_type}\r\n\r\n".encode() + body

    def _exchange(self, requests: Sequence[bytes], clients: int) -> load.Exchange:
        return self.generator.submit(load.exchange_all, self.service.url, requests, clients).result()


def resident_mib(process_id: int, kind: str) -> float:
    """Return resident memory in MiB. kind: Anon, or File for what the kernel may drop (proc(5))."""
    lines = Path(f"/proc/{process_id}/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"Rss{kind}:")) / 1024


def _joined(lines: Iterable[bytes]) -> Iterator[bytes]:
    waiting = iter(lines)
    while body := b"".join(islice(waiting, LINES_A_REQUEST)):
        yield body
