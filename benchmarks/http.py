"""The cost of HTTP: POST /verify of the running service, beside the models alone, in one run.

    python -m benchmarks.http [--photographs DIR] [--rounds 5] [--lone 30] [--load 200]

In each round the service and the models alone do the same work, one after the other. Three tables are printed:

one client     the median latency of a request
16 clients     the CPU time of a request
16 clients     the throughput. The models alone use as many threads as there are cores

The load generator runs on the same cores as the service. Its CPU time is in the table. The corrected throughput is the
throughput that the service would have if it had the whole time of the cores.
"""

import argparse
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from benchmarks import load, models_alone
from service.observability.process_limits import cpu_count
from tests.support.running_service import RunningService, run_service

CLIENTS = 16
ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Round:
    """One measurement of the service, and one of the models alone.

    service: as the load generator measured it; its CPU time is that of the load generator.
    service_cpu_s: the CPU time of the process of the service.
    """

    service: load.Measurement
    service_cpu_s: float
    models_alone: load.Measurement


def main() -> None:
    """Measure, and print the tables."""
    arguments = _parse_arguments()
    pairs = _read_pairs(arguments.photographs)
    models = ROOT / "var" / "models"
    verify = models_alone.open_verify(models)
    with TemporaryDirectory() as folder, run_service(Path(folder) / "data", models) as served:
        _measure_round(served, verify, pairs, arguments.lone, 1)  # warms both, and is not counted
        lone = [_measure_round(served, verify, pairs, arguments.lone, 1) for _ in range(arguments.rounds)]
        loaded = [_measure_round(served, verify, pairs, arguments.load, CLIENTS) for _ in range(arguments.rounds)]
    console = Console()
    console.print(f"{cpu_count()} cores, {len(pairs)} pairs of {arguments.photographs}")
    console.print(_latency_table(lone))
    console.print(_cpu_table(loaded))
    console.print(_throughput_table(loaded))


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=Path, default=ROOT / "var" / "photographs", help="DIR/PERSON/FILE")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--lone", type=int, default=30, help="requests in a round with one client")
    parser.add_argument("--load", type=int, default=200, help="requests in a round with 16 clients")
    return parser.parse_args()


def _read_pairs(folder: Path) -> list[models_alone.PhotographPair]:
    """Return pairs of neighbouring photographs, in the order of their names."""
    photographs = [file.read_bytes() for file in itertools.islice(sorted(folder.glob("*/*.*")), 60)]
    return list(itertools.pairwise(photographs))


def _measure_round(
    served: RunningService,
    verify: models_alone.VerifyPair,
    pairs: Sequence[models_alone.PhotographPair],
    count: int,
    clients: int,
) -> Round:
    work = list(itertools.islice(itertools.cycle(pairs), count))
    requests = [load.encode_verify_request(served.url, pair) for pair in work]
    start_cpu_s = load.cpu_s_of(served.process.pid)
    service = load.send_all(served.url, requests, clients)
    service_cpu_s = load.cpu_s_of(served.process.pid) - start_cpu_s
    return Round(service, service_cpu_s, models_alone.measure(verify, work, min(clients, cpu_count())))


def _latency_table(rounds: Sequence[Round]) -> Table:
    measured = [(median(one.service.latencies_s), median(one.models_alone.latencies_s)) for one in rounds]
    return _time_table("POST /verify, one client, median latency", measured)


def _cpu_table(rounds: Sequence[Round]) -> Table:
    counts = [len(one.service.latencies_s) for one in rounds]
    measured = [
        (one.service_cpu_s / count, one.models_alone.cpu_s / count) for one, count in zip(rounds, counts, strict=True)
    ]
    return _time_table(f"POST /verify, {CLIENTS} clients, CPU time of a request", measured)


def _time_table(title: str, measured: Sequence[tuple[float, float]]) -> Table:
    """Return a row for each round. measured: seconds of the service and of the models alone, in each round."""
    table = Table("round", "service ms", "models alone ms", "ratio", title=title)
    for number, (service_s, models_alone_s) in enumerate(measured, 1):
        ratio = service_s / models_alone_s
        table.add_row(str(number), f"{1e3 * service_s:.1f}", f"{1e3 * models_alone_s:.1f}", f"{ratio:.3f}")
    table.add_row("median", "", "", f"{median(service_s / alone_s for service_s, alone_s in measured):.3f}")
    return table


def _throughput_table(rounds: Sequence[Round]) -> Table:
    table = Table(
        "round",
        "service",
        "load generator CPU",
        "service, corrected",
        "models alone",
        "ratio",
        title=f"POST /verify, {CLIENTS} clients, requests a second",
        caption="ratio: service, corrected / models alone",
    )
    ratios = []
    for number, measured in enumerate(rounds, 1):
        count = len(measured.service.latencies_s)
        generator_share = measured.service.cpu_s / (measured.service.wall_s * cpu_count())
        service_per_s, models_alone_per_s = count / measured.service.wall_s, count / measured.models_alone.wall_s
        corrected_per_s = service_per_s / (1 - generator_share)
        ratios.append(corrected_per_s / models_alone_per_s)
        table.add_row(
            str(number),
            f"{service_per_s:.1f}",
            f"{100 * generator_share:.1f} %",
            f"{corrected_per_s:.1f}",
            f"{models_alone_per_s:.1f}",
            f"{ratios[-1]:.3f}",
        )
    table.add_row("median", "", "", "", "", f"{median(ratios):.3f}")
    return table


if __name__ == "__main__":
    main()
