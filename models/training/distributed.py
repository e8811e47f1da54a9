"""Training in several processes (torchrun). Each process embeds its share of a batch.

Every process gathers the embeddings of the whole batch and computes the same loss over it. So triplets are mined in the
whole batch. A larger batch holds more semi-hard negatives (FaceNet, section 3.2). The embeddings of other processes
have no graph. So the backward pass of a process covers only its own share. The sum of the gradients of all processes is
the gradient of the loss. Batch normalisation computes its statistics in each process, over the share of the process.
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
from models.training.data.canvases import Rows


@dataclass(frozen=True, slots=True)
class World:
    """The processes of a run.

    rank: the number of this process, from 0.
    size: how many processes there are.
    long_wait: a group of the same processes, with the timeout LONG_WAIT. None if there is one process.
    """

    rank: int = 0
    size: int = 1
    long_wait: distributed.ProcessGroup | None = None

    def share(self, rows: Rows) -> Rows:
        """Return this process's part of a batch. Raises TrainingError if the batch does not divide evenly."""
        if len(rows) % self.size:
            raise TrainingError(
                f"A batch of {len(rows)} faces does not divide evenly among {self.size} processes. "
                "Start a number of processes that divides the batch."
            )
        part = len(rows) // self.size
        return rows[self.rank * part : (self.rank + 1) * part]

    def gather(self, embeddings: Tensor) -> Tensor:
        """Return the embeddings of the whole batch, (n, d), in its order. Only this process's share has a graph."""
        if self.size == 1:
            return embeddings
        shares = [torch.empty_like(embeddings) for _ in range(self.size)]
        distributed.all_gather(shares, embeddings.detach())
        shares[self.rank] = embeddings
        return torch.cat(shares)

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace the gradients in every process by the sum over the processes.

        Call it once a step, after all chunks of the batch. DistributedDataParallel cannot be used, for two reasons. It
        communicates in every backward pass, so once for each chunk. And it averages: here every process computes the
        loss of the whole batch, so the gradient of the batch is the sum.
        """
        if self.size == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])  # one message for all of them
        distributed.all_reduce(flat)
        totals = torch.split(flat, [gradient.numel() for gradient in gradients])
        for gradient, total in zip(gradients, totals, strict=True):
            gradient.copy_(total.view_as(gradient))

    @contextmanager
    def first_process_first(self) -> Iterator[None]:
        """Run the block in the first process, then in the others. So the others can read the files of the first."""
        if self.rank > 0:
            distributed.barrier(self.long_wait)
        yield
        if self.rank == 0 and self.size > 1:
            distributed.barrier(self.long_wait)

    def broadcast_decision(self, *, decision: bool) -> bool:
        """Return the decision of the first process, in every process. All processes must call it."""
        if self.size == 1:
            return decision
        decisions = [decision]
        distributed.broadcast_object_list(decisions, src=0)
        return decisions[0]


SINGLE_PROCESS = World()

LONG_WAIT = timedelta(hours=6)
"""How long processes wait while the first process embeds a large set by the teacher.

Within a step the timeout is the default of PyTorch, some minutes.
"""

GLOO_SHUTDOWN_S = 0.1
"""How long a process waits after it leaves the group.

If the process made an optimiser, Gloo's threads still run after the group is destroyed. They need the interpreter lock
to free the last message. If the process ends within these milliseconds, it is aborted (PyTorch 2.13, pull request
179291).
"""


@contextmanager
def join_processes(device: torch.device) -> Iterator[World]:
    """Join the processes that torchrun started. Without torchrun there is a single process."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield SINGLE_PROCESS
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)  # NCCL uses the current GPU to send Python objects between processes
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        long_wait = distributed.new_group(backend="gloo", timeout=LONG_WAIT)
        yield World(distributed.get_rank(), distributed.get_world_size(), long_wait)
    finally:
        distributed.destroy_process_group()
        time.sleep(GLOO_SHUTDOWN_S)


def find_device(name: str) -> torch.device:
    """Return the CPU, or the GPU that torchrun gave this process. Raises TrainingError if there is no such GPU.

    name: cpu or cuda.
    """
    if name == "cpu":
        return torch.device("cpu", 0)
    if not torch.cuda.is_available():
        raise TrainingError(
            "--device cuda was given, and no GPU was found. Give --device cpu, or install PyTorch for CUDA "
            "(TORCH_INDEX)."
        )
    number, gpus = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if number >= gpus:
        raise TrainingError(
            f"Each process needs a separate GPU. This is process {number}, counted from 0, and there are {gpus} GPUs. "
            f"Start torchrun with --nproc-per-node={gpus}."
        )
    return torch.device("cuda", number)
