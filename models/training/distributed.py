"""Several processes as one (torchrun): each embeds its share of a batch, and all judge the whole of it.

The embeddings are gathered and every process computes the same loss over the whole batch, so triplets are mined over
all of it (FaceNet, section 3.2: the larger the batch, the more semi-hard negatives it holds). The others' embeddings
come without a graph: each process goes back through its own share alone, and the sum of the processes' gradients is
the gradient of the one loss. Batch statistics are each process's own.
"""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed, nn

from models.errors import TrainingError
from models.training.objectives.base import Rows


@dataclass(frozen=True, slots=True)
class World:
    """The processes of a run. rank: which one this is. patient: the same processes, where one is waited for long."""

    rank: int = 0
    size: int = 1
    patient: distributed.ProcessGroup | None = None

    def share(self, rows: Rows) -> Rows:
        """This process's part of a batch. Raises TrainingError where the batch does not divide evenly."""
        if len(rows) % self.size:
            raise TrainingError(
                f"A batch of {len(rows)} faces does not divide among {self.size} processes; start another number."
            )
        part = len(rows) // self.size
        return rows[self.rank * part : (self.rank + 1) * part]

    def gather(self, embeddings: Tensor) -> Tensor:
        """The shares of all processes in the order of the batch, (n, d); this one's with its graph."""
        if self.size == 1:
            return embeddings
        shares = [torch.empty_like(embeddings) for _ in range(self.size)]
        distributed.all_gather(shares, embeddings.detach())
        shares[self.rank] = embeddings
        return torch.cat(shares)

    def add_up(self, parameters: Iterable[nn.Parameter]) -> None:
        """Gives every process the sum of the processes' gradients."""
        if self.size == 1:
            return
        gradients = [one.grad for one in parameters if one.grad is not None]
        flat = torch.cat([one.flatten() for one in gradients])
        distributed.all_reduce(flat)
        for gradient, total in zip(gradients, torch.split(flat, [one.numel() for one in gradients]), strict=True):
            gradient.copy_(total.view_as(gradient))

    @contextmanager
    def first(self) -> Iterator[None]:
        """The first process goes ahead, and the others follow when it is through: they find what it has left."""
        if self.rank > 0:
            distributed.barrier(self.patient)
        yield
        if self.rank == 0 and self.size > 1:
            distributed.barrier(self.patient)

    def agree(self, *, decision: bool) -> bool:
        """What the first process decided, in every process."""
        if self.size == 1:
            return decision
        said = [decision]
        distributed.broadcast_object_list(said, src=0)
        return said[0]


ALONE = World()
"""One process."""

PATIENCE = timedelta(hours=6)
"""How long processes wait for the first, which asks the teacher of a large set; in a step they wait for minutes."""

LET_GO_S = 0.1
"""Gloo's threads outlive the group where an optimiser was made, and need the interpreter to let go of what they sent
last; a process that ends within those milliseconds is aborted (PyTorch 2.13, pull request 179291)."""


@contextmanager
def joined(device: torch.device) -> Iterator[World]:
    """Joins the processes that torchrun started, or is alone where it did not."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ALONE
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)  # NCCL moves what is said between processes by way of the current GPU
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        patient = distributed.new_group(backend="gloo", timeout=PATIENCE)
        yield World(distributed.get_rank(), distributed.get_world_size(), patient)
    finally:
        distributed.destroy_process_group()
        time.sleep(LET_GO_S)


def device(name: str) -> torch.device:
    """cpu, or cuda: then the GPU that torchrun gave this process. Raises TrainingError where there is none."""
    if name == "cpu":
        return torch.device("cpu", 0)
    if not torch.cuda.is_available():
        raise TrainingError(
            "No GPU was found, and cuda was asked for. Give --device cpu, or install torch for CUDA (TORCH_INDEX)."
        )
    number, there = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if number >= there:
        raise TrainingError(
            f"Process {number} finds {there} GPUs, and each needs one of its own. Start torchrun with "
            f"--nproc-per-node={there}."
        )
    return torch.device("cuda", number)
