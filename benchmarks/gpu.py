"""The embedder on a GPU: faces a second of the network alone, and through the service.

    python -m benchmarks.gpu [--provider cuda] [--precision float32] [--batches 1 8 32 64 128] [--seconds 3]

`plain` calls the session with arrays. `bound` has its buffers on the device, as the service does on a GPU. It is
measured with one caller and with two, as many as the service has workers. The rows of one batch size are measured in
turns. `service` is POST /verify with many clients: each request has two faces. Decoding them takes the CPU.

Writes gpu.json. Ends with one line and exit code 1 if the provider is missing.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import onnxruntime as ort
from rich.console import Console
from rich.table import Table

from benchmarks import load
from benchmarks.speed.exposition import MetricsSnapshot
from benchmarks.speed.photographs import ROOT, default_folder, read_sets
from models.files import write_atomically
from service.domain.command_errors import StartupError
from service.domain.face import Crops
from service.model_files.execution.options import Numbers
from service.pipeline.embedders.bound import BoundEmbedder
from service.pipeline.embedders.onnx import OnnxEmbedder
from service.pipeline.embedders.precision import PrecisionOptions
from service.pipeline.opening import PipelineOptions, execution_of_embedder
from service.settings.environment import load_settings
from service.settings.pipeline import pipeline_options
from tests.support.running_service import run_service

ROUNDS = 3
PLAIN, BOUND, BOUND_TWICE, SERVICE = "plain, 1 caller", "bound, 1 caller", "bound, 2 callers", "service, POST /verify"


@dataclass(frozen=True)
class GpuRow:
    """A row of the table.

    batch: the crops in one call. Of the service: how many calls had how many crops.
    faces_per_s: the median of the rounds.
    """

    what: str
    batch: str
    faces_per_s: float


def main() -> None:
    """Measure, print the table, and write it."""
    arguments = _parse_arguments()
    settings = _settings(arguments)
    os.environ.update(settings)
    try:
        options = replace(pipeline_options(load_settings()), max_batch=max(arguments.batches))
        rows = _measure_network(options, arguments.batches, arguments.seconds)
    except StartupError as error:
        sys.exit(f"benchmarks.gpu: {error}")
    rows.append(_measure_service(arguments, settings))
    table = Table("what", "crops in a call", "faces a second", title=f"{arguments.model}, {arguments.provider}")
    for row in rows:
        table.add_row(row.what, row.batch, f"{row.faces_per_s:,.0f}")
    Console(width=None if Console().is_terminal else 120).print(table)
    about = {"settings": settings, "onnxruntime": ort.__version__, "clients": arguments.clients}
    figures = about | {"rows": [asdict(row) for row in rows]}
    write_atomically(arguments.out / "gpu.json", json.dumps(figures, indent=1).encode())
    print(f"Written: {arguments.out / 'gpu.json'}")


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--provider", choices=("cuda", "tensorrt", "cpu"), default="cuda", help="cpu tests the program")
    parser.add_argument("--precision", choices=("float32", "float16"), default="float32")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32, 64, 128], help="crops in one call")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each row, in each of three rounds")
    parser.add_argument("--clients", type=int, default=64, help="of the service")
    parser.add_argument("--photographs", type=Path, default=default_folder(), help="DIR/PERSON/FILE")
    parser.add_argument("--models", type=Path, default=ROOT / "var" / "models", help="the folder of the model files")
    parser.add_argument("--model", default="sface", help="the embedder")
    parser.add_argument("--out", type=Path, default=ROOT / "var" / "bench", help="the folder of gpu.json")
    return parser.parse_args()


def _settings(arguments: argparse.Namespace) -> dict[str, str]:
    return {
        "FACE_MODELS__DIR": str(arguments.models),
        "FACE_MODELS__EMBEDDER": arguments.model,
        "FACE_INFERENCE__PROVIDER": arguments.provider,
        "FACE_INFERENCE__PRECISION": arguments.precision,
    }


def _measure_network(options: PipelineOptions, batches: list[int], seconds: float) -> list[GpuRow]:
    """Measure the session alone. It is opened once, as the service opens it. Raises StartupError."""
    execution = execution_of_embedder(options)
    numbers: Numbers = "float16" if options.precision == "float16" else "float32"
    file = PrecisionOptions(options.embedder, None, execution).open(options.embedder, numbers)
    plain, bound = OnnxEmbedder(file), BoundEmbedder(file, "cuda" if execution.on_gpu else "cpu", max(batches))
    rows = []
    for batch in batches:
        crops = _noise(file.card.alignment.height, file.card.alignment.width, batch)
        callers = {PLAIN: (plain, 1), BOUND: (bound, 1), BOUND_TWICE: (bound, 2)}
        rounds = [
            {what: _faces_per_s(embedder.embed, crops, count, seconds) for what, (embedder, count) in callers.items()}
            for _ in range(ROUNDS)
        ]
        rows += [GpuRow(what, str(batch), median(one[what] for one in rounds)) for what in callers]
    return rows


def _noise(height: int, width: int, count: int) -> Crops:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), np.uint8)


def _faces_per_s(embed: Callable[[Crops], object], crops: Crops, callers: int, seconds: float) -> float:
    """Call for about so many seconds. The first call of each caller is not counted."""

    def call_repeatedly(_: int) -> int:
        embedded = 0
        while perf_counter() - start_s < seconds or not embedded:
            embed(crops)
            embedded += len(crops)
        return embedded

    with ThreadPoolExecutor(callers) as threads:
        list(threads.map(embed, [crops] * callers))
        start_s = perf_counter()
        embedded = sum(threads.map(call_repeatedly, range(callers)))
        return embedded / (perf_counter() - start_s)


def _measure_service(arguments: argparse.Namespace, settings: dict[str, str]) -> GpuRow:
    """Send pairs of photographs from many clients, and count the faces that were embedded."""
    (small,) = read_sets(arguments.photographs, [])
    with (
        TemporaryDirectory() as folder,
        run_service(Path(folder) / "data", arguments.models, **settings) as served,
        load.generator_process() as generator,
    ):
        requests = [load.encode_verify_request(served.url, pair) for pair in small.pairs]

        def send(count: int) -> float:
            sent = generator.submit(load.exchange_repeatedly, served.url, requests, count, arguments.clients).result()
            return 2 * len(sent.latencies_s) / sent.wall_s

        faces_per_s = send(2 * arguments.clients)
        count = max(arguments.clients, round(faces_per_s / 2 * arguments.seconds))
        before = MetricsSnapshot.fetch(served.url)
        rates = [send(count) for _ in range(ROUNDS)]
        batches = MetricsSnapshot.fetch(served.url).batches_since(before)
    return GpuRow(SERVICE, ", ".join(f"{size}: {calls} calls" for size, calls in batches.items()), median(rates))


if __name__ == "__main__":
    main()
