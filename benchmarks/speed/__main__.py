"""The speed of the service beside its limits, in one run and one table.

    python -m benchmarks.speed [--photographs DIR] [--megapixels 2 12] [--rounds 3] [--seconds 3] [--model NAME]

The limits are each stage alone, and the models alone: the same steps as plain calls in threads, without HTTP, queue or
event loop. In each round the service and the models alone do the same work, one after the other, so that a machine that
becomes slower meanwhile does not look like a service that does. The load generator is a process of its own. It uses the
same cores as the service.

docs/performance.md explains each column. Writes speed.json and speed.png.
"""

import argparse
import os
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from benchmarks import load, models_alone
from benchmarks.speed.photographs import ROOT, SMALL, PhotographSet, default_folder, read_sets
from benchmarks.speed.report import SpeedReport, table
from benchmarks.speed.rounds import CLIENTS, Bench, Round
from benchmarks.speed.rows import Row, rows_of, stage_row, stage_shares
from benchmarks.speed.stages import StageTime, measure_search, measure_stages
from models.evaluation.reports.report import write_report
from models.progress import progress_bar
from service.pipeline.opening import PipelineOptions, open_embedder
from service.settings.environment import load_settings
from service.settings.pipeline import pipeline_options
from tests.support.running_service import run_service

STAGE_GROUPS = 4
"""How often `measure_stages` reports that it has measured."""


def main() -> None:
    """Measure, print the table, and write it."""
    arguments = _parse_arguments()
    settings = {"FACE_MODELS__DIR": str(arguments.models), "FACE_MODELS__EMBEDDER": arguments.model}
    settings |= dict(one.split("=", 1) for one in arguments.set)
    os.environ.update(settings)
    options = pipeline_options(load_settings())
    sets = read_sets(arguments.photographs, arguments.megapixels)
    report = _measure(arguments, options, sets, settings)
    title = f"{options.threads} threads, {arguments.model}, {arguments.photographs}"
    Console(width=None if Console().is_terminal else 200).print(table(report, title))
    about = {"models": [arguments.model], "threads": options.threads, "rounds": arguments.rounds} | {
        f"kB, {one.name}": round(one.kilobytes) for one in sets
    }
    write_report(report, arguments.out, "speed", about)
    print(f"Written: {arguments.out / 'speed.json'}, {arguments.out / 'speed.png'}")


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=Path, default=default_folder(), help="DIR/PERSON/FILE")
    parser.add_argument("--megapixels", type=float, nargs="*", default=[2, 12], help="sizes of the large photographs")
    parser.add_argument("--rounds", type=int, default=3, help="with small photographs")
    parser.add_argument("--large-rounds", type=int, default=1, help="with large photographs")
    parser.add_argument("--seconds", type=float, default=3.0, help="of the models alone, in each measurement")
    parser.add_argument("--models", type=Path, default=ROOT / "var" / "models", help="the folder of the model files")
    parser.add_argument("--model", default="sface", help="the embedder")
    parser.add_argument(
        "--set", action="append", default=[], metavar="FACE_NAME=VALUE", help="a setting, for both sides"
    )
    parser.add_argument(
        "--out", type=Path, default=ROOT / "var" / "bench", help="the folder of speed.json and speed.png"
    )
    return parser.parse_args()


def _measure(
    arguments: argparse.Namespace, options: PipelineOptions, sets: list[PhotographSet], settings: dict[str, str]
) -> SpeedReport:
    rows: list[Row] = []
    stage_ms = {}
    rounds = {one.name: arguments.rounds if one.name == SMALL else arguments.large_rounds for one in sets}
    steps = len(sets) * STAGE_GROUPS + sum(rounds.values()) * len(CLIENTS)
    with progress_bar(steps, "measuring") as done:
        search = measure_search(open_embedder(options).card.dimension, options.threads, arguments.seconds / 4)
        rows.append(stage_row("", search, options.threads))
        for one in sets:
            stages = measure_stages(options, one.photographs, arguments.seconds / 4, done)
            with ExitStack() as stack:
                folder = Path(stack.enter_context(TemporaryDirectory()))
                bench = Bench(
                    stack.enter_context(run_service(folder / "data", options.embedder.path.parent, **settings)),
                    models_alone.open_verify(options),
                    stack.enter_context(load.generator_process()),
                    options.threads,
                    arguments.seconds,
                    done,
                )
                measured = bench.measure(one, rounds[one.name])
            rows += _rows(one.name, measured, stages, options.threads)
            stage_ms[one.name] = stage_shares(measured)
    return SpeedReport(rows, stage_ms)


def _rows(name: str, rounds: list[Round], stages: list[StageTime], threads: int) -> list[Row]:
    return [*(stage_row(name, time, threads) for time in stages), *rows_of(name, rounds, stages, threads)]


if __name__ == "__main__":
    main()
