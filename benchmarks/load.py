"""A load generator that uses little CPU time itself.

Requests are encoded once. Of an answer, only the status and the length are read; the body is thrown away.
"""

import asyncio
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from time import perf_counter
from urllib.parse import urlsplit


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


def encode_verify_request(url: str, photographs: tuple[bytes, bytes]) -> bytes:
    """Return the HTTP request of POST /verify: the head, and a form with two files."""
    boundary = uuid.uuid4().hex
    parts = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="image_{side}"; filename="{side}"\r\n\r\n'.encode()
        + photograph
        + b"\r\n"
        for side, photograph in zip("ab", photographs, strict=True)
    )
    body = parts + f"--{boundary}--\r\n".encode()
    head = (
        f"POST /verify HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\n"
        f"Content-Type: multipart/form-data; boundary={boundary}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def send_all(url: str, requests: Sequence[bytes], clients: int) -> Measurement:
    """Send all requests, `clients` requests at a time. Each client has one connection.

    Raises ValueError if the status of an answer is not 200.
    """
    return asyncio.run(_send_all(url, requests, clients))


async def _send_all(url: str, requests: Sequence[bytes], clients: int) -> Measurement:
    waiting = iter(requests)
    latencies_s: list[float] = []

    async def run_client() -> None:
        reader, writer = await asyncio.open_connection(urlsplit(url).hostname, urlsplit(url).port)
        for request in waiting:
            start_s = perf_counter()
            writer.write(request)
            await _read_answer(reader)
            latencies_s.append(perf_counter() - start_s)
        writer.close()

    start_s, start_cpu_s = perf_counter(), _cpu_s()
    await asyncio.gather(*(run_client() for _ in range(clients)))
    return Measurement(latencies_s, perf_counter() - start_s, _cpu_s() - start_cpu_s)


async def _read_answer(reader: asyncio.StreamReader) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if not head.startswith(b"http/1.1 200"):
        raise ValueError(head.decode())
    length = head.split(b"content-length:")[1].split(b"\r\n")[0]
    await reader.readexactly(int(length))


def _cpu_s() -> float:
    usage = getrusage(RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def cpu_s_of(process_id: int) -> float:
    """Return the user and system time of a process so far (proc(5), fields 14 and 15 of stat)."""
    # The name of the program may contain spaces. The fields after its closing bracket begin with field 3.
    fields = Path(f"/proc/{process_id}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
