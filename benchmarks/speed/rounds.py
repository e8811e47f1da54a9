"""One set of photographs: the models alone and the service do the same work, one after the other, in each round."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import cycle, islice

from benchmarks import load, models_alone
from benchmarks.speed.exposition import MetricsSnapshot
from benchmarks.speed.photographs import PhotographSet
from tests.support.running_service import RunningService

CLIENTS = (1, 4, 16, 64)


@dataclass(frozen=True)
class Served:
    """The service, in one round.

    cpu_s: the CPU time of its process.
    batches: how many calls of the embedder had a number of crops.
    stages_s: the time of each stage, of all requests together.
    resident_mib: its memory at the end.
    peak_mib: the most memory since its start.
    """

    exchange: load.Exchange
    cpu_s: float
    batches: dict[str, int]
    stages_s: dict[str, float]
    resident_mib: float
    peak_mib: float


@dataclass(frozen=True)
class Round:
    """One measurement of the service, and one of the models alone.

    alone: in one thread for one client, otherwise in as many threads as there are cores. The rounds with several
    clients that follow each other share it.
    """

    clients: int
    served: Served
    alone: load.Measurement


@dataclass(frozen=True)
class Bench:
    """What is measured, and how long.

    generator: the process of the load generator.
    seconds: about how long the models alone work in one measurement.
    done: is called after each measurement.
    """

    served: RunningService
    verify: models_alone.VerifyPair
    generator: ProcessPoolExecutor
    threads: int
    seconds: float
    done: Callable[[], None]

    def measure(self, photographs: PhotographSet, rounds: int) -> list[Round]:
        """Measure all numbers of clients in turn, several times. What is sent first is not counted."""
        pairs = photographs.pairs
        requests = [load.encode_verify_request(self.served.url, pair) for pair in pairs]
        per_pair_s = self._warm(pairs, requests)
        count = max(2, round(self.seconds / per_pair_s))
        measured = []
        for _ in range(rounds):
            alone = self._measure_alone(pairs, count, 1)
            measured.append(Round(1, self._serve(requests, count, 1), alone))
            self.done()
            alone = self._measure_alone(pairs, count * self.threads, self.threads)
            for clients in CLIENTS[1:]:
                served = self._serve(requests, max(clients, count * self.threads), clients)
                measured.append(Round(clients, served, alone))
                self.done()
        return measured

    def _warm(self, pairs: Sequence[models_alone.PhotographPair], requests: Sequence[bytes]) -> float:
        """Use both sides. Return the time that the models alone take for a pair, in one thread."""
        self._serve(requests, 2 * self.threads, self.threads)
        self._measure_alone(pairs, self.threads, self.threads)
        return self._measure_alone(pairs, self.threads, 1).wall_s / self.threads

    def _measure_alone(
        self, pairs: Sequence[models_alone.PhotographPair], count: int, threads: int
    ) -> load.Measurement:
        return models_alone.measure(self.verify, list(islice(cycle(pairs), count)), threads)

    def _serve(self, requests: Sequence[bytes], count: int, clients: int) -> Served:
        process_id, url = self.served.process.pid, self.served.url
        before, start_cpu_s = MetricsSnapshot.fetch(url), load.cpu_s_of(process_id)
        exchange = self.generator.submit(load.exchange_repeatedly, url, requests, count, clients).result()
        cpu_s, after = load.cpu_s_of(process_id) - start_cpu_s, MetricsSnapshot.fetch(url)
        return Served(
            exchange,
            cpu_s,
            after.batches_since(before),
            after.stages_since(before),
            load.memory_mib_of(process_id, "VmRSS"),
            load.memory_mib_of(process_id, "VmHWM"),
        )
