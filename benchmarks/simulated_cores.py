"""The service with more cores than the machine has: how many its one event loop can use.

    python -m benchmarks.simulated_cores [--cores 1 2 4 8 16 32 64] [--requests 400]

Each model computes once for each shape of its input. After that, a call sleeps as long as that took, and returns the
same result. So the models need no core, and any number of calls run at the same time, as on a machine with that many
cores. All else is real: HTTP, the event loop, threads, decoding, alignment. It runs on the cores of this machine, so
the result is a lower bound. All requests send one photograph of LFW, or of the demo, twice: results are kept by shape.
"""

import argparse
import runpy
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any

import numpy as np
import onnxruntime as ort
from rich.console import Console
from rich.table import Table

from benchmarks import load
from benchmarks.speed.exposition import MetricsSnapshot
from benchmarks.speed.photographs import default_folder, read_sets
from tests.support.running_service import run_service

ROOT = Path(__file__).parents[1]
SIMULATE = "--simulate"
MOST_CLIENTS = 128
ALONE = 20
"""Requests of one client, which measure how long the models take."""
MODEL_STAGES = ("detect", "landmarks", "embed")


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cores", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32, 64])
    parser.add_argument("--requests", type=int, default=400, help="/verify, for each number of cores")
    arguments = parser.parse_args()
    table = Table("cores for models", "/verify a second", "p50 ms", "models could", "reached", "CPU ms a /verify")
    with load.generator_process() as generator:
        for cores in arguments.cores:
            table.add_row(*_measure(generator, cores, arguments.requests))
    Console().print(table)


def _measure(generator: ProcessPoolExecutor, cores: int, count: int) -> tuple[str, ...]:
    wrapper = (sys.executable, "-m", "benchmarks.simulated_cores", SIMULATE)
    settings = {"FACE_INFERENCE__THREADS": str(cores), "FACE_INFERENCE__WORKERS": str(cores)}
    settings |= {"FACE_LIMITS__REQUEST_TIMEOUT_S": "120", "FACE_LIMITS__IMAGES_IN_FLIGHT": str(4 * MOST_CLIENTS)}
    photograph, clients = read_sets(default_folder(), [])[0].photographs[0], min(4 * cores, MOST_CLIENTS)
    with (
        TemporaryDirectory() as folder,
        run_service(Path(folder) / "data", ROOT / "var" / "models", *wrapper, **settings) as service,
    ):
        request = load.encode_verify_request(service.url, (photograph, photograph))
        _send(generator, service.url, request, 4 * clients, clients)  # each shape is computed once
        before = MetricsSnapshot.fetch(service.url)
        _send(generator, service.url, request, ALONE, 1)
        stages_s = MetricsSnapshot.fetch(service.url).stages_since(before)
        cpu_s = load.cpu_s_of(service.process.pid)
        exchange = _send(generator, service.url, request, count, clients)
        cpu_s = load.cpu_s_of(service.process.pid) - cpu_s
    a_second = count / exchange.wall_s
    model_s = sum(stages_s[stage] for stage in MODEL_STAGES) / ALONE
    return (
        str(cores),
        f"{a_second:.0f}",
        f"{1000 * np.percentile(exchange.latencies_s, 50):.0f}",
        f"{cores / model_s:.0f}",
        f"{a_second * model_s / cores:.2f}",
        f"{1000 * cpu_s / count:.1f}",
    )


def _send(generator: ProcessPoolExecutor, url: str, request: bytes, count: int, clients: int) -> load.Exchange:
    exchange: load.Exchange = generator.submit(load.exchange_repeatedly, url, [request], count, clients).result()
    if exchange.refused:
        raise ValueError(f"{exchange.refused} requests were refused")
    return exchange


def simulate() -> None:
    """Run the service with models that sleep."""
    computed: dict[Any, tuple[float, list[Any]]] = {}
    one_at_a_time = Lock()
    compute = ort.InferenceSession.run

    def run(session: Any, names: Any, inputs: dict[str, np.ndarray], *options: Any) -> list[Any]:  # noqa: ANN401
        key = (id(session), *((name, value.shape) for name, value in inputs.items()))
        if key not in computed:
            with one_at_a_time:
                compute(session, names, inputs, *options)  # prepares for the shape
                start_s = time.perf_counter()
                result = compute(session, names, inputs, *options)
                computed[key] = time.perf_counter() - start_s, result
        seconds, result = computed[key]
        time.sleep(seconds)
        return result

    ort.InferenceSession.run = run
    sys.argv = ["facenet", "serve"]
    runpy.run_module("service", run_name="__main__")


if __name__ == "__main__":
    simulate() if SIMULATE in sys.argv else main()
