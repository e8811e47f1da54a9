"""The rows of the table: from rounds and stage times to figures, and what the project asks of them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import mean, median

import numpy as np

from benchmarks.load import Measurement
from benchmarks.speed.photographs import SMALL
from benchmarks.speed.rounds import Round
from benchmarks.speed.stages import StageTime

STAGE = "stage"
ALONE = "models alone"
SERVICE = "service"


@dataclass(frozen=True)
class Target:
    """What is asked of a ratio: at least `least`, or at most `most`."""

    ratio: str
    least: float | None = None
    most: float | None = None

    def is_met(self, value: float) -> bool:
        """Return whether this value is as asked."""
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)

    def describe(self, value: float) -> str:
        """Return the target and whether it is met, as text."""
        bound = f">= {self.least:g}" if self.least is not None else f"<= {self.most:g}"
        return f"{self.ratio} {bound}: {'met' if self.is_met(value) else 'not met'}"


TARGETS = {
    1: (Target("latency", most=0.62),),
    16: (Target("throughput", least=0.95), Target("CPU", most=1.06)),
}
"""By the number of clients, for small photographs."""


@dataclass(frozen=True)
class Row:
    """A row of the table. Times of stages are those of a photograph, the others those of a /verify.

    photographs: the name of the set.
    parallel: threads, or clients of the service.
    ratios: each figure divided by its limit.
    batches: how many calls of the embedder had a number of crops.
    """

    photographs: str
    kind: str
    name: str
    parallel: int
    count: int = 0
    refused: int = 0
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    per_s: float | None = None
    cpu_ms: float | None = None
    resident_mib: float | None = None
    peak_mib: float | None = None
    batches: dict[str, int] = field(default_factory=dict)
    ratios: dict[str, float] = field(default_factory=dict)

    @property
    def targets(self) -> dict[str, bool]:
        """What is asked of this row, and whether it is met."""
        return {target.describe(value): target.is_met(value) for target, value in self._asked()}

    def _asked(self) -> list[tuple[Target, float]]:
        if self.kind != SERVICE or self.photographs != SMALL:
            return []
        return [(target, self.ratios[target.ratio]) for target in TARGETS.get(self.parallel, ())]


def stage_row(photographs: str, time: StageTime, threads: int) -> Row:
    """Return the row of a stage. Its limit is as many times its rate in one thread as there are threads."""
    return Row(
        photographs,
        STAGE,
        time.name,
        threads,
        p50_ms=1e3 * time.one_thread_s,
        per_s=threads / time.all_threads_s,
        ratios={"throughput": time.one_thread_s / time.all_threads_s},
    )


def rows_of(photographs: str, rounds: Sequence[Round], stages: Sequence[StageTime], threads: int) -> list[Row]:
    """Return the rows of the models alone and of the service, for one set of photographs."""
    by_clients: dict[int, list[Round]] = {}
    for one in rounds:
        by_clients.setdefault(one.clients, []).append(one)
    lone, loaded = list(by_clients.values())[:2]
    return [
        _alone_row(photographs, [one.alone for one in lone], 1, sum(one.one_thread_s for one in stages)),
        _alone_row(photographs, [one.alone for one in loaded], threads, sum(one.all_threads_s for one in stages)),
        *(_service_row(photographs, same, threads) for same in by_clients.values()),
    ]


def _alone_row(photographs: str, measured: Sequence[Measurement], threads: int, stages_s: float) -> Row:
    """stages_s: the time of all stages for one photograph, each of them alone. A /verify has two photographs."""
    latencies_s = [latency_s for one in measured for latency_s in one.latencies_s]
    per_s = median(len(one.latencies_s) / one.wall_s for one in measured)
    p50_ms, p95_ms, p99_ms = _percentiles_ms(latencies_s)
    return Row(
        photographs,
        ALONE,
        "decode, detect, landmarks, align, embed",
        threads,
        count=len(latencies_s),
        p50_ms=p50_ms,
        p95_ms=p95_ms,
        p99_ms=p99_ms,
        per_s=per_s,
        cpu_ms=1e3 * sum(one.cpu_s for one in measured) / len(latencies_s),
        ratios={"throughput": per_s * 2 * stages_s / threads},
    )


def _service_row(photographs: str, rounds: Sequence[Round], threads: int) -> Row:
    exchanges = [one.served.exchange for one in rounds]
    latencies_s = [latency_s for one in exchanges for latency_s in one.latencies_s]
    p50_ms, p95_ms, p99_ms = _percentiles_ms(latencies_s)
    return Row(
        photographs,
        SERVICE,
        "POST /verify",
        rounds[0].clients,
        count=len(latencies_s),
        refused=sum(one.refused for one in exchanges),
        p50_ms=p50_ms,
        p95_ms=p95_ms,
        p99_ms=p99_ms,
        per_s=median(len(one.latencies_s) / one.wall_s for one in exchanges),
        cpu_ms=1e3 * sum(one.served.cpu_s for one in rounds) / len(latencies_s) if latencies_s else None,
        resident_mib=rounds[-1].served.resident_mib,
        peak_mib=rounds[-1].served.peak_mib,
        batches=dict(sum((Counter(one.served.batches) for one in rounds), Counter())),
        ratios=_ratios([one for one in rounds if one.served.exchange.latencies_s], threads),
    )


def _percentiles_ms(latencies_s: Sequence[float]) -> list[float | None]:
    """Return the percentiles 50, 95 and 99. They are None if no request was answered with 200."""
    if not latencies_s:
        return [None, None, None]
    return [float(1e3 * value) for value in np.percentile(latencies_s, [50, 95, 99])]


def _ratios(rounds: Sequence[Round], threads: int) -> dict[str, float]:
    """Return the medians over the rounds. The latency of a client that is not alone is mostly waiting for others."""
    if not rounds:
        return {}
    first = (
        {"latency": median(_latency_ratio(one) for one in rounds)}
        if rounds[0].clients == 1
        else {"throughput": median(_throughput_ratio(one, threads) for one in rounds)}
    )
    return first | {"CPU": median(_cpu_ratio(one) for one in rounds)}


def _latency_ratio(one: Round) -> float:
    return median(one.served.exchange.latencies_s) / median(one.alone.latencies_s)


def _throughput_ratio(one: Round, threads: int) -> float:
    """Compare the service as if it had the whole time of the cores. The load generator uses the same cores."""
    exchange = one.served.exchange
    generator_share = exchange.cpu_s / (exchange.wall_s * threads)
    corrected_per_s = len(exchange.latencies_s) / exchange.wall_s / (1 - generator_share)
    return corrected_per_s / (len(one.alone.latencies_s) / one.alone.wall_s)


def _cpu_ratio(one: Round) -> float:
    served_s = one.served.cpu_s / len(one.served.exchange.latencies_s)
    return served_s / (one.alone.cpu_s / len(one.alone.latencies_s))


def stage_shares(rounds: Sequence[Round]) -> dict[str, float]:
    """Return the milliseconds of each stage in a /verify of the service with one client, as /metrics has them."""
    lone = [one.served for one in rounds if one.clients == 1]
    names = {name for one in lone for name in one.stages_s}
    return {name: 1e3 * mean(one.stages_s.get(name, 0.0) / len(one.exchange.answers) for one in lone) for name in names}
