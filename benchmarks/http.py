"""What HTTP costs: POST /verify of the running service beside the bare pipeline, interleaved, in one run.

    python -m benchmarks.http [--photographs DIR] [--rounds 5] [--lone 30] [--load 200]

Two tables. `lone`: one client; latency, service against bare. `16 clients`: the service's CPU time a request and its
throughput, against the bare pipeline in as many threads as there are cores. The load generator runs on the same cores;
its CPU time is shown, and the corrected throughput is what the service would do with the cores' whole time.
"""

import argparse
import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from benchmarks import bare, load
from service import allowance
from tests.served import Served, serve

CLIENTS = 16
ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Round:
    """One measurement of the service and of the bare pipeline. service_cpu_s: the service's own process."""

    service: load.Measured
    service_cpu_s: float
    bare: load.Measured


def main() -> None:
    """Prints both tables."""
    arguments = _arguments()
    pairs = _pairs(arguments.photographs)
    models = ROOT / "var" / "models"
    verify = bare.open_bare(models)
    with TemporaryDirectory() as folder, serve(Path(folder) / "data", models) as served:
        _round(served, verify, pairs, arguments.lone, 1)  # warms both
        lone = [_round(served, verify, pairs, arguments.lone, 1) for _ in range(arguments.rounds)]
        loaded = [_round(served, verify, pairs, arguments.load, CLIENTS) for _ in range(arguments.rounds)]
    console = Console()
    console.print(f"{allowance.cores()} cores, {len(pairs)} pairs of {arguments.photographs}")
    console.print(_lone_table(lone))
    console.print(_loaded_table(loaded))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=Path, default=ROOT / "var" / "photographs", help="DIR/PERSON/FILE")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--lone", type=int, default=30, help="requests of one client a round")
    parser.add_argument("--load", type=int, default=200, help="requests of 16 clients a round")
    return parser.parse_args()


def _pairs(folder: Path) -> list[bare.Pair]:
    """Neighbouring photographs in the order of their names."""
    files = [file.read_bytes() for file in itertools.islice(sorted(folder.glob("*/*.*")), 60)]
    return list(itertools.pairwise(files))


def _round(served: Served, verify: bare.Verify, pairs: Sequence[bare.Pair], count: int, clients: int) -> Round:
    work = list(itertools.islice(itertools.cycle(pairs), count))
    requests = [load.encode_verify(served.url, pair) for pair in work]
    start_cpu_s = _cpu_s(served)
    by_http = load.run(served.url, requests, clients)
    service_cpu_s = _cpu_s(served) - start_cpu_s
    return Round(by_http, service_cpu_s, bare.run(verify, work, min(clients, allowance.cores())))


def _cpu_s(served: Served) -> float:
    """User and system time of the service's process so far (proc(5), fields 14 and 15 of stat)."""
    fields = Path(f"/proc/{served.process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _lone_table(rounds: Sequence[Round]) -> Table:
    table = Table("round", "service ms", "bare ms", "ratio", title="A lone /verify, median latency")
    ratios = []
    for number, one in enumerate(rounds, 1):
        service_s, bare_s = median(one.service.latencies_s), median(one.bare.latencies_s)
        ratios.append(service_s / bare_s)
        table.add_row(str(number), f"{1e3 * service_s:.1f}", f"{1e3 * bare_s:.1f}", f"{ratios[-1]:.3f}")
    table.add_row("median", "", "", f"{median(ratios):.3f}")
    return table


def _loaded_table(rounds: Sequence[Round]) -> Table:
    table = Table(
        "round",
        "service CPU ms",
        "bare CPU ms",
        "CPU ratio",
        "service /s",
        "generator CPU",
        "corrected /s",
        "bare /s",
        "throughput ratio",
        title=f"{CLIENTS} clients",
    )
    cpu_ratios, throughput_ratios = [], []
    for number, one in enumerate(rounds, 1):
        count = len(one.service.latencies_s)
        cpu_ratios.append(one.service_cpu_s / one.bare.cpu_s)
        generator = one.service.cpu_s / (one.service.wall_s * allowance.cores())
        service_rate, bare_rate = count / one.service.wall_s, count / one.bare.wall_s
        corrected = service_rate / (1 - generator)
        throughput_ratios.append(corrected / bare_rate)
        table.add_row(
            str(number),
            f"{1e3 * one.service_cpu_s / count:.1f}",
            f"{1e3 * one.bare.cpu_s / count:.1f}",
            f"{cpu_ratios[-1]:.3f}",
            f"{service_rate:.1f}",
            f"{100 * generator:.1f} %",
            f"{corrected:.1f}",
            f"{bare_rate:.1f}",
            f"{throughput_ratios[-1]:.3f}",
        )
    table.add_row("median", "", "", f"{median(cpu_ratios):.3f}", "", "", "", "", f"{median(throughput_ratios):.3f}")
    return table


if __name__ == "__main__":
    main()
