"""Ten times the capacity for a minute: is every request answered, and does another key still get its answers?

    python -m benchmarks.overload [--seconds 60] [--times 10] [--json FILE]

First the peak is measured: /verify by one key in a closed loop, whose clients send the next request when the last one
is answered. Then key A sends ten times as many requests a second in an open loop, good and bad ones mixed. Meanwhile
key B sends one /verify after the other, from another address. Accepted are the 200 of both keys that come before the
end. The peak and the quiet time of B are measured again after the overload, so a machine that becomes slower meanwhile
does not look like a service that does. The clients of A run in a process of their own. They use the same cores as the
service, and what they take of them counts against the service.
"""

import argparse
import json
import multiprocessing
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import cycle, islice, pairwise
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from time import perf_counter, sleep
from urllib.parse import urlsplit

import httpx
from rich.console import Console
from rich.table import Table

from benchmarks import load
from benchmarks.overload_clients import Outcomes, Request, run_clients
from tests.support.running_service import RunningService, run_service

ROOT = Path(__file__).parent.parent
DEADLINE_S = 30.0
CLIENTS = 8
PEAK_REQUESTS = 60
PHOTOGRAPH_BYTES = 400_000
"""Larger photographs are left out: the clients of A would need more time for them than the service."""
ADDRESS_OF_B = "127.0.0.2"
OPERATOR = "the-key-of-the-operator-of-this-benchmark"
NORMAL = 1.5
"""The service is normal again when B's /verify takes at most this times its quiet time, three times in a row."""


@dataclass
class Report:
    """What was measured. See the table for what was asked."""

    peak_per_s: float
    offered_per_s: float
    sent: int
    answered: int
    not_answered: int
    statuses: dict[str, dict[str, int]]
    accepted_per_s: float
    accepted_of_peak: float
    p99_accepted_s: float
    p99_of_deadline: float
    normal_after_s: float
    b_quiet_ms: float
    b_quiet_ratio_p99: float
    b_ratio_median: float
    b_ratio_p99: float
    b_answered: int
    b_refused: int
    service_cores: float
    client_cores: float
    generator_late_s: float


@dataclass(frozen=True)
class Quiet:
    """Without overload: the throughput of the closed loop, and the latencies of B alone."""

    peak_per_s: float
    latencies_s: list[float]

    @property
    def b_s(self) -> float:
        return median(self.latencies_s)


@dataclass(frozen=True)
class Overloaded:
    """During and after the overload.

    of_b: when B sent a request, and its latency in seconds. None: it was refused.
    service_cores: the CPU time of the service, a second.
    """

    outcomes: Outcomes
    of_b: list[tuple[float, float | None]]
    normal_after_s: float
    service_cores: float


def main() -> None:
    """Measure, and print the table."""
    arguments = _parse_arguments()
    photographs = [file.read_bytes() for file in sorted((ROOT / "var" / "photographs").glob("*/*.jpg"))]
    pairs = list(pairwise(one for one in photographs if len(one) <= PHOTOGRAPH_BYTES))
    with TemporaryDirectory() as folder:
        (Path(folder) / "operator").write_text(OPERATOR)
        settings = {"FACE_ADMIN_KEY_FILE": str(Path(folder) / "operator")}
        with run_service(Path(folder) / "data", ROOT / "var" / "models", **settings) as served:
            report = _measure(served, pairs, arguments)
    Console().print(_table(report))
    if arguments.json:
        arguments.json.write_text(json.dumps(asdict(report), indent=2) + "\n", "utf-8")


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--times", type=float, default=10.0, help="how many times the peak is offered")
    parser.add_argument("--json", type=Path, help="a file to write")
    return parser.parse_args()


def _measure(served: RunningService, pairs: list[tuple[bytes, bytes]], arguments: argparse.Namespace) -> Report:
    url = served.url
    keys = [_create_key(url, name) for name in "ab"]
    good = [_with_key(load.encode_verify_request(url, pair), keys[0]) for pair in pairs]
    load.send_all(url, list(islice(cycle(good), 20)), CLIENTS)  # warms the service, and is not counted
    b = ClientB(url, _with_key(load.encode_verify_request(url, pairs[0]), keys[1]))
    before = _measure_quiet(url, good, b)
    rate = arguments.times * before.peak_per_s
    overloaded = _overload(served, _requests(url, good, keys[0]), rate, arguments.seconds, b, before.b_s)
    after = _measure_quiet(url, good, b)
    quiet = Quiet((before.peak_per_s + after.peak_per_s) / 2, [*before.latencies_s, *after.latencies_s])
    return _report(quiet, rate, arguments.seconds, overloaded)


def _measure_quiet(url: str, good: list[bytes], b: "ClientB") -> Quiet:
    peak_per_s = median(_peak(url, good) for _ in range(3))
    return Quiet(peak_per_s, [b.latency_s() or DEADLINE_S for _ in range(20)])


def _overload(  # noqa: PLR0913, PLR0917  # who sends what, and how long
    served: RunningService, requests: list[Request], rate: float, seconds: float, b: "ClientB", quiet_s: float
) -> Overloaded:
    of_b: list[tuple[float, float | None]] = []
    with _clients(served.url, requests, rate, seconds) as receive:
        start_s, start_cpu_s = perf_counter(), load.cpu_s_of(served.process.pid)
        while perf_counter() < start_s + seconds:
            of_b.append((perf_counter(), b.latency_s()))
            sleep(0.1)
        end_s, service_cpu_s = perf_counter(), load.cpu_s_of(served.process.pid) - start_cpu_s
        normal_after_s = _until_normal(b, quiet_s) - end_s
        return Overloaded(receive(), of_b, max(0.0, normal_after_s), service_cpu_s / (end_s - start_s))


def _create_key(url: str, label: str) -> str:
    body = {"scopes": ["verify", "read"], "label": label}
    answer = httpx.post(f"{url}/keys", json=body, headers={"x-api-key": OPERATOR}).raise_for_status()
    return str(answer.json()["key"])


def _with_key(request: bytes, key: str) -> bytes:
    return request.replace(b"\r\n", f"\r\nx-api-key: {key}\r\n".encode(), 1)


def _peak(url: str, good: list[bytes]) -> float:
    requests = list(islice(cycle(good), PEAK_REQUESTS))
    return PEAK_REQUESTS / load.send_all(url, requests, CLIENTS).wall_s


def _requests(url: str, good: list[bytes], key: str) -> list[Request]:
    """Return what A sends: seven good requests in ten, and five kinds of bad ones."""
    photograph = good[0].partition(b"\r\n\r\n")[2]
    identify = good[0].replace(b"POST /verify", b"POST /identify", 1)
    broken = _with_key(load.encode_verify_request(url, (photograph[:9000], b"\xff\xd8\xff no JPEG")), key)
    oversized = _with_key(
        f"POST /verify HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {2**30}\r\n\r\n".encode()
        + b" " * 2**16,
        key,
    )
    return [
        *(Request("/verify", one, 0.6 / len(good)) for one in good),
        Request("/identify of two images (422)", identify, 0.1),
        Request("oversized body", oversized, 0.05),
        Request("broken images", broken, 0.15),
        Request("slow sender", good[0], 0.05, slow=True),
        Request("client that leaves", good[0], 0.05, leaves=True),
    ]


@contextmanager
def _clients(url: str, requests: list[Request], rate: float, seconds: float) -> Iterator[Callable[[], Outcomes]]:
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.Process(target=run_clients, args=(url, requests, rate, seconds, sender), daemon=True)
    process.start()
    try:
        yield receiver.recv
    finally:
        process.join()


class ClientB:
    """A lone client with a key of its own, at another address. It opens a connection for each request."""

    def __init__(self, url: str, request: bytes) -> None:
        self._address = (urlsplit(url).hostname, urlsplit(url).port)
        self._request = request

    def latency_s(self) -> float | None:
        """Send /verify. Return the latency in seconds. None if it was refused."""
        start_s = perf_counter()
        try:
            with socket.create_connection(self._address, 2 * DEADLINE_S, (ADDRESS_OF_B, 0)) as connection:
                connection.sendall(self._request)
                status = connection.recv(2**16).split()[1:2]
        except OSError:
            return None
        return perf_counter() - start_s if status == [b"200"] else None


def _until_normal(b: ClientB, quiet_s: float) -> float:
    """Return when B's latency was normal three times in a row: the start of these."""
    while True:
        start_s = perf_counter()
        if all((b.latency_s() or DEADLINE_S) <= NORMAL * quiet_s for _ in range(3)):
            return start_s


def _report(quiet: Quiet, rate: float, seconds: float, overloaded: Overloaded) -> Report:
    outcomes, of_b = overloaded.outcomes, overloaded.of_b
    statuses: dict[str, dict[str, int]] = {}
    for (name, status), count in sorted(outcomes.counts.items()):
        statuses.setdefault(name, {})[status] = count
    answered = sum(count for (_, status), count in outcomes.counts.items() if status.isdecimal() or "left" in status)
    latencies_s = [latency for _, latency in outcomes.accepted] or [0.0, 0.0]
    b_ratios = [latency / quiet.b_s for _, latency in of_b if latency is not None] or [0.0, 0.0]
    answered_b = [(sent_s, latency) for sent_s, latency in of_b if latency is not None]
    accepted_per_s = _in_time([*outcomes.accepted, *answered_b], outcomes.start_s + seconds) / seconds
    p99_s = quantiles(latencies_s, n=100)[-1]
    return Report(
        peak_per_s=quiet.peak_per_s,
        offered_per_s=rate,
        sent=outcomes.sent,
        answered=answered,
        not_answered=outcomes.sent - answered,
        statuses=statuses,
        accepted_per_s=accepted_per_s,
        accepted_of_peak=accepted_per_s / quiet.peak_per_s,
        p99_accepted_s=p99_s,
        p99_of_deadline=p99_s / DEADLINE_S,
        normal_after_s=overloaded.normal_after_s,
        b_quiet_ms=1e3 * quiet.b_s,
        b_quiet_ratio_p99=quantiles([one / quiet.b_s for one in quiet.latencies_s], n=100)[-1],
        b_ratio_median=median(b_ratios),
        b_ratio_p99=quantiles(b_ratios, n=100)[-1],
        b_answered=len(answered_b),
        b_refused=len(of_b) - len(answered_b),
        service_cores=overloaded.service_cores,
        client_cores=outcomes.cpu_s / seconds,
        generator_late_s=outcomes.late_s,
    )


def _in_time(accepted: list[tuple[float, float]], end_s: float) -> int:
    return sum(sent_s + latency_s < end_s for sent_s, latency_s in accepted)


def _table(report: Report) -> Table:
    table = Table("", "measured", "asked", title=f"{report.offered_per_s:.0f} requests a second, {report.sent} in all")
    table.add_row("peak of /verify, a second", f"{report.peak_per_s:.1f}", "")
    for name, statuses in report.statuses.items():
        table.add_row(name, ", ".join(f"{status}: {count}" for status, count in statuses.items()), "")
    table.add_row("without an answer", str(report.not_answered), "0")
    table.add_row("accepted throughput / peak", f"{report.accepted_of_peak:.2f}", ">= 0.9")
    table.add_row("p99 of the accepted / deadline", f"{report.p99_of_deadline:.3f}", "<= 2")
    table.add_row("normal again after", f"{report.normal_after_s:.1f} s", "<= 2 s")
    table.add_row("B, quiet", f"{report.b_quiet_ms:.0f} ms", "")
    table.add_row("B, quiet: p99 / median", f"{report.b_quiet_ratio_p99:.2f}", "")
    table.add_row("B's /verify / quiet: median", f"{report.b_ratio_median:.2f}", "<= 3")
    table.add_row("B's /verify / quiet: p99", f"{report.b_ratio_p99:.2f}", "<= 3")
    table.add_row("B answered", str(report.b_answered), "")
    table.add_row("B refused", str(report.b_refused), "0")
    table.add_row("cores used by the service", f"{report.service_cores:.2f}", "")
    table.add_row("cores used by the clients of A", f"{report.client_cores:.2f}", "")
    table.add_row("the clients of A were late by at most", f"{report.generator_late_s:.1f} s", "")
    return table


if __name__ == "__main__":
    main()
