"""The clients of `benchmarks.overload`: an open loop of good and bad requests by key A, in a process of its own.

An open loop sends at fixed times, whether or not earlier requests were answered. This is how many independent clients
behave, and it does not become slower when the service does.
"""

import asyncio
import itertools
import random
import resource
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from time import perf_counter, process_time
from urllib.parse import urlsplit

REFUSED, RESET, LEFT, UNANSWERED = "connection refused", "connection reset", "client left", "unanswered"
ANSWER_S = 75.0
"""Longer than any answer may take: twice the deadline, and the time for an upload that stalls."""


@dataclass(frozen=True)
class Request:
    """One kind of request. share: of all requests. slow: the body comes in pieces. leaves: no answer is awaited."""

    name: str
    data: bytes
    share: float
    slow: bool = False
    leaves: bool = False


@dataclass
class Outcomes:
    """What became of the requests.

    accepted: (when it was sent, latency in seconds) of each 200.
    start_s: when the first request was sent, on the clock of `perf_counter`, which all processes share.
    cpu_s: the CPU time of the clients until the last request was sent.
    """

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    accepted: list[tuple[float, float]] = field(default_factory=list)
    sent: int = 0
    late_s: float = 0.0
    start_s: float = field(default_factory=perf_counter)
    cpu_s: float = 0.0


def run_clients(url: str, requests: list[Request], rate: float, seconds: float, results: Connection) -> None:
    """Send `rate` requests a second for so long, wait for all answers, and send the outcomes to `results`."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    results.send(asyncio.run(_send_all(url, requests, rate, seconds)))


async def _send_all(url: str, requests: list[Request], rate: float, seconds: float) -> Outcomes:
    outcomes, running = Outcomes(), set[asyncio.Task[None]]()
    kinds = random.Random(0).choices(requests, [one.share for one in requests], k=10_000)  # noqa: S311  # nothing secret
    start_s, start_cpu_s = outcomes.start_s, process_time()
    for number, request in enumerate(itertools.cycle(kinds)):
        due_s = start_s + number / rate
        if due_s >= start_s + seconds:
            break
        await asyncio.sleep(max(0.0, due_s - perf_counter()))
        outcomes.late_s = max(outcomes.late_s, perf_counter() - due_s)
        running.add(task := asyncio.create_task(_send(url, request, outcomes)))
        task.add_done_callback(running.discard)
        outcomes.sent += 1
    outcomes.cpu_s = process_time() - start_cpu_s
    await asyncio.gather(*running)
    return outcomes


async def _send(url: str, request: Request, outcomes: Outcomes) -> None:
    start_s = perf_counter()
    try:
        async with asyncio.timeout(ANSWER_S):
            status = await _exchange(url, request)
    except ConnectionRefusedError:
        status = REFUSED
    except (OSError, asyncio.IncompleteReadError):
        status = RESET
    except TimeoutError:
        status = UNANSWERED
    outcomes.counts[request.name, status] += 1
    if status == "200":
        outcomes.accepted.append((start_s, perf_counter() - start_s))


async def _exchange(url: str, request: Request) -> str:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        if request.slow:
            await _send_slowly(writer, request.data)
        else:
            writer.write(request.data)
        if request.leaves:
            await writer.drain()
            return LEFT
        return (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
    finally:
        writer.close()


async def _send_slowly(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Send the body in ten pieces, over about three seconds."""
    size = len(data) // 10 + 1
    for start in range(0, len(data), size):
        writer.write(data[start : start + size])
        await writer.drain()
        await asyncio.sleep(0.3)
