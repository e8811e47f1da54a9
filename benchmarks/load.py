"""A load generator that uses little CPU time itself.

Requests are encoded once, and an answer is not parsed. A client keeps its connection, unless the server closes it. Then
the latency of its next request includes the time to connect.
"""

import asyncio
import multiprocessing
import os
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from time import perf_counter
from urllib.parse import urlsplit

NO_ANSWER = 0
"""The status of a request that got no answer, because the connection broke."""


@dataclass(frozen=True)
class Measurement:
    """The times of a number of requests.

    latencies_s: the latency of each request.
    wall_s: the time of all requests together.
    cpu_s: the CPU time of this process.
    """

    latencies_s: list[float]
    wall_s: float
    cpu_s: float


@dataclass(frozen=True)
class Answer:
    """The answer to a request. status: of HTTP, or NO_ANSWER."""

    latency_s: float
    status: int
    body: bytes


@dataclass(frozen=True)
class Exchange:
    """The answers to a number of requests, in the order of the requests.

    wall_s: the time of all requests together.
    cpu_s: the CPU time of this process.
    """

    answers: list[Answer]
    wall_s: float
    cpu_s: float

    @property
    def latencies_s(self) -> list[float]:
        """The latencies of the requests that were answered with 200."""
        return [answer.latency_s for answer in self.answers if answer.status == 200]

    @property
    def refused(self) -> int:
        """How many requests got another status than 200, or no answer."""
        return sum(answer.status != 200 for answer in self.answers)


Fields = Sequence[tuple[str, bytes | str]]
"""The parts of a form: a name, and the bytes of a file or a text."""


def encode_verify_request(url: str, photographs: tuple[bytes, bytes]) -> bytes:
    """Return the HTTP request of POST /verify: the head, and a form with two files."""
    return encode_form(url, "/verify", list(zip(("image_a", "image_b"), photographs, strict=True)))


def encode_form(url: str, path: str, fields: Fields) -> bytes:
    """Return the HTTP request of POST PATH: the head, and a form with files and texts."""
    boundary = uuid.uuid4().hex
    body = b"".join(_encode_part(boundary, name, value) for name, value in fields) + f"--{boundary}--\r\n".encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\n"
        f"Content-Type: multipart/form-data; boundary={boundary}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _encode_part(boundary: str, name: str, value: bytes | str) -> bytes:
    file_name = "" if isinstance(value, str) else f'; filename="{name}"'
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{file_name}\r\n\r\n'
    return head.encode() + (value.encode() if isinstance(value, str) else value) + b"\r\n"


def send_all(url: str, requests: Sequence[bytes], clients: int) -> Measurement:
    """Send all requests, `clients` requests at a time. Each client has one connection.

    Raises ValueError if the status of an answer is not 200.
    """
    exchange = exchange_all(url, requests, clients)
    for answer in exchange.answers:
        if answer.status != 200:
            raise ValueError(f"{answer.status}: {answer.body.decode(errors='replace')}")
    return Measurement(exchange.latencies_s, exchange.wall_s, exchange.cpu_s)


def exchange_all(url: str, requests: Sequence[bytes], clients: int) -> Exchange:
    """Send all requests, `clients` requests at a time, whatever the answers are. Each client has one connection."""
    return asyncio.run(_exchange_all(url, requests, clients))


def exchange_repeatedly(url: str, requests: Sequence[bytes], count: int, clients: int) -> Exchange:
    """Send `count` requests: these ones, again and again."""
    return exchange_all(url, list(islice(cycle(requests), count)), clients)


@contextmanager
def generator_process() -> Iterator[ProcessPoolExecutor]:
    """Start a process for the load generator. So the interpreter of the benchmark takes none of its time."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        process.submit(int).result()  # waits until it has started
        yield process


async def _exchange_all(url: str, requests: Sequence[bytes], clients: int) -> Exchange:
    waiting = iter(enumerate(requests))
    answers: dict[int, Answer] = {}

    async def run_client() -> None:
        connection = _Connection(url)
        for number, request in waiting:
            answers[number] = await connection.exchange(request)
        connection.close()

    start_s, start_cpu_s = perf_counter(), _cpu_s()
    await asyncio.gather(*(run_client() for _ in range(clients)))
    in_order = [answers[number] for number in range(len(requests))]
    return Exchange(in_order, perf_counter() - start_s, _cpu_s() - start_cpu_s)


class _Connection:
    """The connection of a client. It is opened by the first request, and again after the server closed it."""

    def __init__(self, url: str) -> None:
        self._host, self._port = urlsplit(url).hostname, urlsplit(url).port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def exchange(self, request: bytes) -> Answer:
        start_s = perf_counter()
        try:
            reader, writer = self._streams or await asyncio.open_connection(self._host, self._port)
            self._streams = (reader, writer)
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            body = await reader.readexactly(_content_length(head))
        except (OSError, asyncio.IncompleteReadError):
            self.close()
            return Answer(perf_counter() - start_s, NO_ANSWER, b"")
        if b"connection: close" in head:
            self.close()
        return Answer(perf_counter() - start_s, int(head.split()[1]), body)

    def close(self) -> None:
        if self._streams:
            self._streams[1].close()
        self._streams = None


def _content_length(head: bytes) -> int:
    """Return the bytes of the body. An answer without content has no such header."""
    _, _, rest = head.partition(b"content-length:")
    return int(rest.split(b"\r\n")[0]) if rest else 0


def _cpu_s() -> float:
    usage = getrusage(RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def cpu_s_of(process_id: int) -> float:
    """Return the user and system time of a process so far (proc(5), fields 14 and 15 of stat)."""
    # The name of the program may contain spaces. The fields after its closing bracket begin with field 3.
    fields = Path(f"/proc/{process_id}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mib_of(process_id: int, field: str) -> float:
    """Return the memory of a process in MiB. field: VmRSS (now) or VmHWM (at most since its start), as in proc(5)."""
    lines = Path(f"/proc/{process_id}/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) / 1024


def shared_memory_mib_of(process_id: int) -> float:
    """Return the memory of a process in MiB. A page that n processes share counts as 1/n page (PSS of proc(5))."""
    lines = Path(f"/proc/{process_id}/smaps_rollup").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
