"""This service beside other face services of the Python package index, in one run.

    python -m benchmarks.peers [--lfw DIR] [--rounds 3] [--requests 15] [--model NAME]

deepface's REST API (one gunicorn worker, as in its Dockerfile, and two) and verifyface's FastAPI router are installed
in environments of their own in var/peers, with the versions in benchmarks/peers/*.txt. All servers get the same
photographs from the same client, one server after the other, in each round. `DIFFERENCES` in report.py has all that
differs.

Without LFW, the photographs of the demo are sent, and no accuracy is measured. Writes peers.json and peers.png.
"""

import argparse
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import load
from benchmarks.models_alone import PhotographPair
from benchmarks.peers import candidates
from benchmarks.peers.accuracy import Accuracy, measure_accuracy
from benchmarks.peers.candidates import Candidate
from benchmarks.peers.environments import ROOT, NotInstalled, open_environment
from benchmarks.peers.report import DIFFERENCES, PeersReport, tables
from benchmarks.peers.rounds import CLIENTS, Work, measure_rounds
from benchmarks.peers.servers import Server, run_deepface, run_verifyface
from benchmarks.peers.weights import write_weights
from models.evaluation.data.pairs import read_pair_lists
from models.evaluation.reports.report import write_report
from tests.support.running_service import run_service

SENT_PAIRS = 40
WORKERS = (1, 2)


def main() -> None:
    """Measure, print the tables, and write them."""
    arguments = _parse_arguments()
    pairs, same = _read_pairs(arguments.lfw, arguments.fold)
    report = _measure(arguments, pairs, same)
    console = Console(width=None if Console().is_terminal else 160)
    for table in tables(report):
        console.print(table)
    for name, reason in report.not_installed.items():
        console.print(f"{name} is missing, because pip could not install it: {reason}")
    for difference in DIFFERENCES:
        console.print(f"- {difference}")
    write_report(report, arguments.out, "peers", {"models": [arguments.model], "rounds": arguments.rounds})
    print(f"Written: {arguments.out / 'peers.json'}, {arguments.out / 'peers.png'}")


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lfw", type=Path, default=ROOT.parent / "shared" / "lfw", help="DIR/images, DIR/pairs.txt")
    parser.add_argument("--fold", type=int, default=0, help="the fold of LFW View 2: 600 pairs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--requests", type=int, default=15, help="of one client in a round. Eight send four times as many"
    )
    parser.add_argument("--enrolled", type=int, default=10, help="people who are enrolled while the speed is measured")
    parser.add_argument("--models", type=Path, default=ROOT / "var" / "models", help="the folder of the model files")
    parser.add_argument("--model", default="sface", help="the embedder of this service")
    parser.add_argument(
        "--set", action="append", default=[], metavar="FACE_NAME=VALUE", help="a setting of this service"
    )
    parser.add_argument("--peers", type=Path, default=ROOT / "var" / "peers", help="the folder of the environments")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "var" / "bench", help="the folder of peers.json and peers.png"
    )
    return parser.parse_args()


def _read_pairs(lfw: Path, fold: int) -> tuple[list[PhotographPair], list[bool]]:
    """Return the pairs of a fold, mated and non-mated ones in turn. Without LFW, pairs whose truth is not known."""
    if not lfw.is_dir():
        photographs = [file.read_bytes() for file in sorted((ROOT / "var" / "photographs").glob("*/*.jpg"))]
        return list(pairwise(photographs)), []
    found = read_pair_lists(lfw / "pairs.txt")
    rows = [row for row in range(len(found.same)) if found.folds[row] == fold]
    half = len(rows) // 2
    in_turn = [row for both in zip(rows[:half], rows[half:], strict=True) for row in both]
    ends = [(found.images[found.left[row]], found.images[found.right[row]]) for row in in_turn]
    pairs = [((lfw / "images" / left).read_bytes(), (lfw / "images" / right).read_bytes()) for left, right in ends]
    return pairs, [bool(found.same[row]) for row in in_turn]


def _measure(arguments: argparse.Namespace, pairs: list[PhotographPair], same: list[bool]) -> PeersReport:
    not_installed: dict[str, str] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        compared = _open_candidates(arguments, folder, stack, not_installed)
        generator = stack.enter_context(load.generator_process())
        by_reference = list({pair[0]: pair for pair in pairs[:SENT_PAIRS]}.values())
        work = Work(pairs[:SENT_PAIRS], by_reference[: arguments.enrolled], arguments.requests)
        with _progress(arguments.rounds * len(compared) * len(CLIENTS), "speed") as done:
            speed = measure_rounds(compared, work, arguments.rounds, generator, lambda: done(1))
        accuracy = _measure_accuracy(compared, pairs, same, generator) if same else []
    return PeersReport(speed, accuracy, not_installed)


def _open_candidates(
    arguments: argparse.Namespace, folder: Path, stack: ExitStack, not_installed: dict[str, str]
) -> list[Candidate]:
    """Start all servers that can be installed. They are idle while another one is measured."""
    settings = {"FACE_MODELS__EMBEDDER": arguments.model} | dict(one.split("=", 1) for one in arguments.set)
    service = stack.enter_context(run_service(folder / "data", arguments.models, **settings))
    own = Server(service.process.pid, service.url)
    opened = [candidates.own_pair(own), candidates.own_enrolled(own)]
    try:
        python = open_environment("deepface", arguments.peers)
        write_weights(arguments.peers / ".deepface" / "weights")
        for workers in WORKERS:
            server = stack.enter_context(run_deepface(python, workers, arguments.peers))
            opened.append(candidates.deepface(server, workers))
    except NotInstalled as error:
        not_installed["deepface"] = str(error)
    try:
        python = open_environment("verifyface", arguments.peers)
        opened.append(candidates.verifyface(stack.enter_context(run_verifyface(python, folder))))
    except NotInstalled as error:
        not_installed["verifyface"] = str(error)
    return opened


def _measure_accuracy(
    compared: list[Candidate], pairs: list[PhotographPair], same: list[bool], generator: ProcessPoolExecutor
) -> list[Accuracy]:
    """Measure each server once: this service with two photographs, and deepface with one worker."""
    once = list({one.name.partition(",")[0]: one for one in reversed(compared)}.values())
    with _progress(len(once) * len(pairs), "accuracy") as done:
        return [measure_accuracy(one, pairs, same, generator, done) for one in reversed(once)]


@contextmanager
def _progress(total: int, title: str) -> Iterator[Callable[[int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(title, total=total)
        yield lambda count: progress.advance(task, count)


if __name__ == "__main__":
    main()
