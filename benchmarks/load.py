"""A load generator that costs little itself: requests are encoded once, answers are read and barely looked at."""

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from resource import RUSAGE_SELF, getrusage
from time import perf_counter
from urllib.parse import urlsplit


def encode_verify(url: str, photographs: tuple[bytes, bytes]) -> bytes:
    """A whole HTTP request for POST /verify, as a form with two files."""
    boundary = uuid.uuid4().hex
    parts = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="image_{side}"; filename="{side}"\r\n\r\n'.encode()
        + data
        + b"\r\n"
        for side, data in zip("ab", photographs, strict=True)
    )
    body = parts + f"--{boundary}--\r\n".encode()
    head = (
        f"POST /verify HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\n"
        f"Content-Type: multipart/form-data; boundary={boundary}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@dataclass(frozen=True)
class Measured:
    """Of one run. latencies_s: one a request. cpu_s: the generator's own."""

    latencies_s: list[float]
    wall_s: float
    cpu_s: float


def run(url: str, requests: Sequence[bytes], clients: int) -> Measured:
    """Sends all requests, `clients` at a time, each over one connection. Raises ValueError for any answer but 200."""
    return asyncio.run(_run(url, requests, clients))


async def _run(url: str, requests: Sequence[bytes], clients: int) -> Measured:
    waiting = iter(requests)
    latencies_s: list[float] = []

    async def client() -> None:
        reader, writer = await asyncio.open_connection(urlsplit(url).hostname, urlsplit(url).port)
        for request in waiting:
            start_s = perf_counter()
            writer.write(request)
            await _answer(reader)
            latencies_s.append(perf_counter() - start_s)
        writer.close()

    start_s, start_cpu_s = perf_counter(), _cpu_s()
    await asyncio.gather(*(client() for _ in range(clients)))
    return Measured(latencies_s, perf_counter() - start_s, _cpu_s() - start_cpu_s)


async def _answer(reader: asyncio.StreamReader) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if not head.startswith(b"http/1.1 200"):
        raise ValueError(head.decode())
    length = head.split(b"content-length:")[1].split(b"\r\n")[0]
    await reader.readexactly(int(length))


def _cpu_s() -> float:
    usage = getrusage(RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
