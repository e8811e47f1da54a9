"""The latency of one client while others keep connections open and are silent or slow, in one run.

    python -m benchmarks.silent_clients [--descriptors 1024] [--idle 2000] [--heads 200] [--bodies 200]

The lone client opens a connection for each POST /verify. The others connect again, after five seconds, when the service
closes their connection. Idle ones send nothing, slow heads a header a second, slow bodies just enough bytes a second.
They run in a process of their own. In each round, the quiet service is measured, then the service with the others.
"""

import argparse
import asyncio
import itertools
import multiprocessing
import resource
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import sleep
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

from benchmarks import load, models_alone
from tests.support.running_service import RunningService, run_service

ROOT = Path(__file__).parent.parent
PAUSE_S = 1.0
CONNECT_AGAIN_S = 5.0
SETTLE_S = 5.0
"""Time for the others to connect."""
BODY_HEAD = (
    b"POST /embed HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    b"Content-Length: 30000000\r\n\r\n"
    b'--x\r\nContent-Disposition: form-data; name="images"; filename="a"\r\n\r\n'
)
Parts = Callable[[], AsyncIterator[bytes]]
Latencies = list[float | None]


def main() -> None:
    """Measure, and print the table."""
    arguments = _parse_arguments()
    photographs = sorted((ROOT / "var" / "photographs").glob("*/*.*"))
    pairs = [(a.read_bytes(), b.read_bytes()) for a, b in itertools.pairwise(photographs)]
    shell = ("sh", "-c", f'ulimit -n {arguments.descriptors}; exec "$@"', "sh")
    with TemporaryDirectory() as folder, run_service(Path(folder) / "data", ROOT / "var" / "models", *shell) as served:
        requests = list(itertools.islice(itertools.cycle(pairs), arguments.requests))
        _measure(served, requests)  # warms the service, and is not counted
        rounds = [_measure_round(served, requests, arguments) for _ in range(arguments.rounds)]
    Console().print(_table(rounds, arguments.descriptors))


def _measure_round(
    served: RunningService, pairs: list[models_alone.PhotographPair], arguments: argparse.Namespace
) -> tuple[Latencies, Latencies]:
    """Measure the quiet service, then the service with the others."""
    quiet = _measure(served, pairs)
    others = multiprocessing.Process(target=_run_others, args=(served.url, arguments), daemon=True)
    others.start()
    sleep(SETTLE_S)
    attacked = _measure(served, pairs)
    others.terminate()
    others.join()
    return quiet, attacked


def _table(rounds: list[tuple[Latencies, Latencies]], descriptors: int) -> Table:
    table = Table(
        "round",
        "quiet ms",
        "with the others ms",
        "ratio",
        "refused",
        title=f"POST /verify, one client, median latency, {descriptors} descriptors",
    )
    ratios = []
    for number, (quiet, attacked) in enumerate(rounds, 1):
        refused = sum(latency is None for latency in attacked)
        quiet_ms, attacked_ms = (1e3 * median(one for one in part if one is not None) for part in (quiet, attacked))
        ratios.append(attacked_ms / quiet_ms)
        table.add_row(str(number), f"{quiet_ms:.1f}", f"{attacked_ms:.1f}", f"{ratios[-1]:.2f}", str(refused))
    table.add_row("median", "", "", f"{median(ratios):.2f}", "")
    return table


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--descriptors", type=int, default=1024, help="ulimit -n of the service, soft and hard")
    parser.add_argument("--idle", type=int, default=2000)
    parser.add_argument("--heads", type=int, default=200)
    parser.add_argument("--bodies", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=20, help="requests of the lone client in half a round")
    return parser.parse_args()


def _measure(served: RunningService, pairs: list[models_alone.PhotographPair]) -> Latencies:
    """Return the latency of each request in seconds, or None if it was refused. Each has a connection of its own."""
    return [_latency_s(served, pair) for pair in pairs]


def _latency_s(served: RunningService, pair: models_alone.PhotographPair) -> float | None:
    try:
        return load.send_all(served.url, [load.encode_verify_request(served.url, pair)], 1).wall_s
    except (OSError, ValueError, asyncio.IncompleteReadError):
        return None


def _run_others(url: str, arguments: argparse.Namespace) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    kinds = [(_nothing, arguments.idle), (_head, arguments.heads), (_body, arguments.bodies)]
    asyncio.run(_connect_all(url, [parts for parts, count in kinds for _ in range(count)]))


async def _connect_all(url: str, clients: list[Parts]) -> None:
    await asyncio.gather(*(_connect_again_and_again(url, parts) for parts in clients))


async def _connect_again_and_again(url: str, parts: Parts) -> None:
    address = urlsplit(url)
    while True:
        try:
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
            async for part in parts():
                writer.write(part)
                await writer.drain()
            await reader.read()
        except OSError:
            pass
        await asyncio.sleep(CONNECT_AGAIN_S)


async def _nothing() -> AsyncIterator[bytes]:
    yield b""


async def _head() -> AsyncIterator[bytes]:
    yield b"GET /livez HTTP/1.1\r\n"
    while True:
        await asyncio.sleep(PAUSE_S)
        yield b"A: b\r\n"


async def _body() -> AsyncIterator[bytes]:
    yield BODY_HEAD
    while True:
        yield b"x" * 1200
        await asyncio.sleep(PAUSE_S)


if __name__ == "__main__":
    main()
