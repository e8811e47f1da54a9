"""The cost of choosing triplets, beside the training step that uses them.

    python -m benchmarks.mining [--faces 1800] [--chunk 120] [--rounds 5]

The step is that of the paper's batch: NN4, one thread, bfloat16.

All times are CPU times, so other programs on the machine do not count. The memory of the miner is the peak of the
process during the mining, minus the memory before it. Only Linux reports this.

The faces are noise, because the time does not depend on what they show. The embeddings that are mined are drawn around
as many people as the batch of the paper has.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from time import process_time

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional

from models.architectures import build_network
from models.training.objectives.triplet_loss import triplet_loss
from models.training.objectives.triplet_mining import SemiHardMiner
from models.training.optimisation.gradient_cache import LossFunction, cached_step

DIMENSION = 128
FACES_PER_PERSON = 40


def main() -> None:
    """Measure, and print a table."""
    arguments = _parse_arguments()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    people = torch.arange(arguments.faces) // FACES_PER_PERSON
    embeddings = _draw_embeddings(people)
    mine = partial(SemiHardMiner().mine, embeddings, people)
    peak_mib = _peak_mib(mine)
    triplets = mine()
    mining_s = median(_cpu_s(mine) for _ in range(arguments.rounds))
    loss = partial(triplet_loss, triplets=triplets)
    loss_s = median(_cpu_s(lambda: torch.autograd.grad(loss(embeddings), embeddings)) for _ in range(arguments.rounds))
    step = _TrainingStep(arguments.faces, arguments.chunk, loss)
    step_s, first_pass_s = _cpu_s(step.run), _cpu_s(step.run_first_pass)
    table = Table("", "CPU s", "share of the step", title=f"{arguments.faces} faces, {len(triplets):,} triplets")
    table.add_row(f"mining, {peak_mib:.0f} MiB at most", f"{mining_s:.2f}", f"{mining_s / step_s:.1%}")
    table.add_row("the loss and its gradient", f"{loss_s:.2f}", f"{loss_s / step_s:.1%}")
    table.add_row("the first pass of the gradient cache", f"{first_pass_s:.2f}", f"{first_pass_s / step_s:.1%}")
    table.add_row(f"the step of NN4 in chunks of {arguments.chunk}", f"{step_s:.2f}", "")
    Console().print(table)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=1800, help="in the batch")
    parser.add_argument("--chunk", type=int, default=120, help="faces that are embedded at once")
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


def _draw_embeddings(people: Tensor) -> Tensor:
    """Return embeddings as they are early in training.

    Most pairs then have a semi-hard negative, so the miner has the most work.
    """
    centres = 1.0 + torch.randn(int(people.max()) + 1, DIMENSION)
    noise = 1.4 * torch.randn(len(people), DIMENSION)
    return functional.normalize(centres[people] + noise).requires_grad_()


class _TrainingStep:
    """A step of NN4 on faces of noise, without the miner and the optimiser."""

    def __init__(self, faces: int, chunk_size: int, loss: LossFunction) -> None:
        self._network: nn.Module = build_network("nn4", DIMENSION)
        self._crops = torch.randint(256, (faces, 96, 96, 3), dtype=torch.uint8)
        self._chunk_size = chunk_size
        self._loss = loss

    def run_first_pass(self) -> None:
        """Embed all faces without activations. This is the part that the gradient cache adds to a step."""
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            for chunk in torch.split(self._crops, self._chunk_size):
                self._network(chunk)

    def run(self) -> None:
        """Run the two passes, the loss and the gradients."""
        with torch.autocast("cpu", torch.bfloat16):
            cached_step(self._network, self._crops, self._chunk_size, self._loss)


def _cpu_s(work: Callable[[], object]) -> float:
    start_s = process_time()
    work()
    return process_time() - start_s


def _peak_mib(work: Callable[[], object]) -> float:
    """Return the peak memory of the process during `work`, minus its memory before."""
    Path("/proc/self/clear_refs").write_text("5", "ascii")  # sets VmHWM to the memory of now (proc(5))
    before_kib = _read_status_kib("VmRSS")
    work()
    return (_read_status_kib("VmHWM") - before_kib) / 1024


def _read_status_kib(key: str) -> int:
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key))


if __name__ == "__main__":
    main()
