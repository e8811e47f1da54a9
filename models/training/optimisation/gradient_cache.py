"""Large batches with little memory: the gradient cache of Gao, Zhang, Han and Callan (2021, arXiv 2101.06983).

Triplets are chosen among all faces of a batch. But memory holds the activations of a part of the batch only. The loss
depends on the network only through the embeddings, so a step can be split into three parts:

1. Embed all faces, chunk by chunk, without keeping activations.
2. Compute the loss of all embeddings, and its gradient with respect to each embedding. These gradients are the cache.
3. Embed each chunk again, now with activations. Go back through the network with the chunk's part of the cache.

The first pass adds about a third to the time of a step. A batch of a single chunk does not need it.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from models.errors import TrainingError

LossFunction = Callable[[Tensor], Tensor]
"""Returns the loss, () float32, of the embeddings of a batch, (n, d) float32."""


def cached_step(network: nn.Module, crops: Tensor, chunk_size: int, loss_function: LossFunction) -> Tensor:
    """Add the gradient of the loss of a batch to the gradients of all parameters. Returns the loss, without a graph.

    The parameters of the loss function get their gradients too. Raises TrainingError if the batch is empty.

    crops: (n, h, w, 3) uint8.
    chunk_size: how many faces are embedded at once at most.

    The gradient is that of `loss_function(torch.cat([network(chunk) for chunk in chunks]))` in a single graph. Batch
    normalisation computes its statistics in each chunk, and updates its running statistics once for each chunk, as it
    would in that graph. A network without batch normalisation has the same gradient with any chunks. Random numbers,
    for example of dropout, are the same in the two passes. Under autocast, the gradients of the chunks are added in
    float32. In a single graph they would be added in bfloat16.

    If several processes train together, each process calls this function with its own faces, and `loss_function` may
    gather the embeddings of all processes. Then it must have the gradient of the whole loss with respect to the
    embeddings of this process. Sum the gradients of the network over the processes once, after this call. The sum is
    the gradient of the whole batch. Do not use a wrapper that communicates in every backward pass. The parameters of
    the loss function already have their whole gradient in each process.
    """
    if not len(crops):
        raise TrainingError("The batch has no face. Give the recipe a batch_size of at least 1.")
    # Equal chunks. A small last chunk would have batch statistics of a few faces.
    chunks = torch.tensor_split(crops, math.ceil(len(crops) / chunk_size))
    if len(chunks) == 1:
        loss = loss_function(network(crops))
        torch.autograd.backward(loss)
        return loss.detach()
    # The second pass embeds the same chunks. It must find the state that the first pass found: with another random
    # state, dropout would give other embeddings, and the cached gradients would not belong to them. If the first pass
    # updated the running statistics too, each chunk would count twice.
    with _restored_afterwards(network, crops.device):
        embeddings = _embed_without_graph(network, chunks)
    embeddings.grad = torch.zeros_like(embeddings)
    loss = loss_function(embeddings)
    torch.autograd.backward(loss)
    for chunk, gradient in zip(chunks, torch.tensor_split(embeddings.grad, len(chunks)), strict=True):
        torch.autograd.backward(network(chunk), gradient)
    return loss.detach()


def _embed_without_graph(network: nn.Module, chunks: tuple[Tensor, ...]) -> Tensor:
    """Return (n, d) embeddings that have a gradient themselves, but no graph of the network."""
    with torch.no_grad():
        embeddings = torch.cat([network(chunk) for chunk in chunks])
    return embeddings.requires_grad_()


@contextmanager
def _restored_afterwards(network: nn.Module, device: torch.device) -> Iterator[None]:
    """Restore the buffers of the network (such as running statistics) and the random state at the end."""
    saved = [(buffer, buffer.clone()) for buffer in network.buffers()]
    devices = [] if device.type == "cpu" else [device]  # fork_rng always saves the state of the CPU
    try:
        with torch.random.fork_rng(devices, device_type=device.type):
            yield
    finally:
        for buffer, value in saved:
            buffer.copy_(value)
