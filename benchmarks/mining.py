"""What the choice of triplets costs beside the step that it serves: the paper's batch, NN4, one thread, bfloat16.

    python -m benchmarks.mining [--faces 1800] [--chunk 120] [--rounds 5]

Times are of the CPU, on which other load on the machine does not count. The miner's memory is the most that the process
held while it worked, above what it held before (Linux alone tells that). The faces are noise: what they show does not
change the time, and the embeddings that are mined are drawn around as many people as the paper's batch has.
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

from models.architectures import build
from models.gradient_cache import Loss, cached_step
from models.triplets import SemiHardMiner, triplet_loss

DIMENSION = 128
PER_PERSON = 40


def main() -> None:
    """Prints one table."""
    arguments = _arguments()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    people = torch.arange(arguments.faces) // PER_PERSON
    embeddings = _embeddings(people)
    mine = partial(SemiHardMiner().mine, embeddings, people)
    peak_mb = _peak_mb(mine)
    triplets = mine()
    mining_s = median(_cpu_s(mine) for _ in range(arguments.rounds))
    loss = partial(triplet_loss, triplets=triplets)
    loss_s = median(_cpu_s(lambda: torch.autograd.grad(loss(embeddings), embeddings)) for _ in range(arguments.rounds))
    step = _Step(arguments.faces, arguments.chunk, loss)
    step_s, first_s = _cpu_s(step.whole), _cpu_s(step.first_pass)
    table = Table("", "CPU s", "of the step", title=f"{arguments.faces} faces, {len(triplets):,} triplets")
    table.add_row(f"mining, {peak_mb:.0f} MB at most", f"{mining_s:.2f}", f"{mining_s / step_s:.1%}")
    table.add_row("the loss and its gradient", f"{loss_s:.2f}", f"{loss_s / step_s:.1%}")
    table.add_row("the first pass of the gradient cache", f"{first_s:.2f}", f"{first_s / step_s:.1%}")
    table.add_row(f"NN4's step in chunks of {arguments.chunk}", f"{step_s:.2f}", "")
    Console().print(table)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=1800)
    parser.add_argument("--chunk", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


def _embeddings(people: Tensor) -> Tensor:
    """As early in training: most pairs have a semi-hard negative, which is when there is most to do."""
    centres = 1.0 + torch.randn(int(people.max()) + 1, DIMENSION)
    noise = 1.4 * torch.randn(len(people), DIMENSION)
    return functional.normalize(centres[people] + noise).requires_grad_()


class _Step:
    """NN4 learning from faces of noise."""

    def __init__(self, faces: int, chunk: int, loss: Loss) -> None:
        self._network: nn.Module = build("nn4", DIMENSION)
        self._crops = torch.randint(256, (faces, 96, 96, 3), dtype=torch.uint8)
        self._chunk = chunk
        self._loss = loss

    def first_pass(self) -> None:
        """What the cache adds: all faces without activations."""
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            for part in torch.split(self._crops, self._chunk):
                self._network(part)

    def whole(self) -> None:
        """Both passes, the loss and the gradients; neither miner nor optimiser."""
        with torch.autocast("cpu", torch.bfloat16):
            cached_step(self._network, self._crops, self._chunk, self._loss)


def _cpu_s(work: Callable[[], object]) -> float:
    start_s = process_time()
    work()
    return process_time() - start_s


def _peak_mb(work: Callable[[], object]) -> float:
    """The high-water mark of the process while it works, above where it started (proc(5))."""
    Path("/proc/self/clear_refs").write_text("5", "ascii")
    before = _status_kb("VmRSS")
    work()
    return (_status_kb("VmHWM") - before) / 1024


def _status_kb(key: str) -> int:
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key))


if __name__ == "__main__":
    main()
