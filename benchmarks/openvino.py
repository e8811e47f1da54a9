"""The embedder in OpenVINO beside ONNX Runtime's own kernels for the CPU, in one process and on one thread.

    make bench-openvino, or: .venv-openvino/bin/python -m benchmarks.openvino [--model sface] [--calls 40]

The calls alternate, and the table has the shortest time of each and its ratio. So other programs on the machine change
the ratio little. The package of OpenVINO contains both.
"""

import argparse
import sys
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import onnxruntime as ort
from rich.console import Console
from rich.table import Table

from benchmarks.alternating import alternate, shortest
from service.domain.command_errors import StartupError
from service.model_files.card import EmbedderCard
from service.model_files.execution.options import Execution
from service.model_files.model_file import open_model
from service.pipeline.embedders.onnx import OnnxEmbedder

ROOT = Path(__file__).parent.parent
BATCHES = (1, 2, 8)


def main() -> None:
    """Measure, and print the table."""
    arguments = _parse_arguments()
    path = arguments.models / f"{arguments.model}.onnx"
    try:
        cpu, openvino = (OnnxEmbedder(open_model(path, EmbedderCard, Execution(name))) for name in ("cpu", "openvino"))
    except StartupError as error:
        sys.exit(f"benchmarks.openvino: {error}")
    columns = ("crops in a call", "cpu, ms", "openvino, ms", "cpu / openvino", "median of the pairs")
    table = Table(*columns, title=f"{arguments.model}, ONNX Runtime {ort.__version__}, one thread")
    for batch in BATCHES:
        alignment = cpu.card.alignment
        crops = np.random.default_rng(0).integers(0, 256, (batch, alignment.height, alignment.width, 3), np.uint8)
        times = alternate(partial(cpu.embed, crops), partial(openvino.embed, crops), arguments.calls)
        first, second = shortest(times)
        of_shortest = (f"{1e3 * first:.1f}", f"{1e3 * second:.1f}", f"{first / second:.2f}")
        table.add_row(str(batch), *of_shortest, f"{median(one / other for one, other in times):.2f}")
    Console().print(table)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="sface", help="the embedder")
    parser.add_argument("--calls", type=int, default=40, help="of each, for each number of crops")
    parser.add_argument("--models", type=Path, default=ROOT / "var" / "models", help="the folder of the model files")
    return parser.parse_args()


if __name__ == "__main__":
    main()
