"""All candidates do the same work, one after the other, in each round."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from benchmarks import load
from benchmarks.models_alone import PhotographPair
from benchmarks.peers.candidates import TWO_PHOTOGRAPHS, Candidate
from benchmarks.peers.servers import process_tree

CLIENTS = (1, 8)
OWN = "this service"
TARGETS = {
    ("deepface, 1 worker", 8): 2.6,
    ("deepface, 2 workers", 8): 2.0,
    ("verifyface", 8): 2.0,
}
"""How many times as many requests this service should answer in the same time, by candidate and clients."""


@dataclass(frozen=True)
class PeerRow:
    """A row of the table: one candidate, with a number of clients.

    cpu_ms: the CPU time of all its processes, for a request that was answered with 200.
    memory_mib: the memory of all its processes at the end. Shared pages count once (PSS of proc(5)).
    own_ratio: the throughput of this service in the same rounds, divided by that of this candidate. Only answers with
    200 count.
    target: the least `own_ratio` that is asked.
    """

    name: str
    task: str
    clients: int
    count: int
    refused: int
    p50_ms: float
    p95_ms: float
    per_s: float
    cpu_ms: float
    memory_mib: float
    own_ratio: float
    target: float | None


@dataclass
class Measured:
    """The rounds of one candidate with a number of clients."""

    exchanges: list[load.Exchange] = field(default_factory=list)
    cpu_s: float = 0.0
    memory_mib: float = 0.0

    @property
    def per_s(self) -> list[float]:
        """The answers with 200 a second, round by round."""
        return [len(one.latencies_s) / one.wall_s for one in self.exchanges]


Results = dict[tuple[Candidate, int], Measured]


@dataclass(frozen=True)
class Work:
    """What each candidate does in a round.

    pairs: for TWO_PHOTOGRAPHS.
    enrolled: for ENROLLED_PERSON. No photograph is the first of two pairs.
    count: the requests of one client.
    """

    pairs: Sequence[PhotographPair]
    enrolled: Sequence[PhotographPair]
    count: int


def measure_rounds(
    candidates: Sequence[Candidate], work: Work, rounds: int, generator: ProcessPoolExecutor, done: Callable[[], None]
) -> list[PeerRow]:
    """Measure. The first requests of each candidate are not counted."""
    requests = {}
    for one in candidates:
        requests[one] = one.requests(work.pairs if one.task == TWO_PHOTOGRAPHS else work.enrolled)
        warm = generator.submit(load.exchange_repeatedly, one.server.url, requests[one], 20, 4).result()
        if warm.refused == len(warm.answers):
            raise RuntimeError(f"{one.name} refuses all: {warm.answers[0].status} {warm.answers[0].body[-1000:]!r}")
    results: Results = {(one, clients): Measured() for one in candidates for clients in CLIENTS}
    for number in range(rounds):
        # The order is turned round in every second round, so that nobody is always measured after the same neighbour.
        for one, clients in list(results)[:: 1 if number % 2 == 0 else -1]:
            count = work.count * (1 if clients == 1 else 4)
            _measure(results[one, clients], one, requests[one], count, clients, generator)
            done()
    return [_row(one, clients, results) for one, clients in results]


def _measure(  # noqa: PLR0913, PLR0917  # a server, what to ask it, and how often
    measured: Measured,
    candidate: Candidate,
    requests: Sequence[bytes],
    count: int,
    clients: int,
    generator: ProcessPoolExecutor,
) -> None:
    processes = process_tree(candidate.server.process_id)
    start_cpu_s = sum(load.cpu_s_of(one) for one in processes)
    asked = generator.submit(load.exchange_repeatedly, candidate.server.url, requests, count, clients)
    measured.exchanges.append(asked.result())
    measured.cpu_s += sum(load.cpu_s_of(one) for one in processes) - start_cpu_s
    measured.memory_mib = sum(load.shared_memory_mib_of(one) for one in processes)


def _row(candidate: Candidate, clients: int, results: Results) -> PeerRow:
    measured = results[candidate, clients]
    own = next(
        found for (one, of), found in results.items() if (one.name, one.task, of) == (OWN, candidate.task, clients)
    )
    latencies_s = [latency_s for one in measured.exchanges for latency_s in one.latencies_s]
    p50_s, p95_s = np.percentile(latencies_s, [50, 95])
    return PeerRow(
        candidate.name,
        candidate.task,
        clients,
        count=sum(len(one.answers) for one in measured.exchanges),
        refused=sum(one.refused for one in measured.exchanges),
        p50_ms=float(1e3 * p50_s),
        p95_ms=float(1e3 * p95_s),
        per_s=median(measured.per_s),
        cpu_ms=1e3 * measured.cpu_s / len(latencies_s),
        memory_mib=measured.memory_mib,
        own_ratio=median(ours / its for ours, its in zip(own.per_s, measured.per_s, strict=True)),
        target=TARGETS.get((candidate.name, clients)),
    )
