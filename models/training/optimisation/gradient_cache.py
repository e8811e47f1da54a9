"""Large batches with little memory: the gradient cache of Gao, Zhang, Han and Callan (2021, arXiv 2101.06983).

Triplets are chosen among all faces of a batch. But memory can hold the activations of only a part of the batch. The
loss depends on the network only through the embeddings. So a step can be split into three parts:

1. Embed all faces, chunk by chunk, without keeping activations.
2. Compute the loss of all embeddings, and its gradient with respect to each embedding. These gradients are the cache.
3. Embed each chunk again, now with activations. Run the backward pass with the chunk's part of the cache.

Part 1 makes a step about a third longer. A batch of a single chunk does not need it.
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

    The gradient equals that of `loss_function(torch.cat([network(chunk) for chunk in chunks]))` in a single graph.
    Batch normalisation computes its statistics in each chunk, and updates its running statistics once for each chunk,
    as in that graph. Without batch normalisation, the gradient does not depend on the chunks. Random numbers, for
    example of dropout, are the same in the two passes. Under autocast, the gradients of the chunks are added in
    float32. In a single graph they would be added in bfloat16.

    If several processes train together, each process calls this function with its own faces. `loss_function` may gather
    the embeddings of all processes. It must then return the loss of the whole batch. After this call, sum the gradients
    of the network over the processes once. The sum is the gradient of the whole batch. The parameters of the loss
    function need no sum: each process has their whole gradient. Do not use a wrapper that communicates in every
    backward pass.
    """
    if not len(crops):
        raise TrainingError("The batch has no face. Give the recipe a batch_size of at least 1.")
    # The chunks have equal sizes. A small last chunk would have batch statistics of only a few faces.
    chunks = torch.tensor_split(crops, math.ceil(len(crops) / chunk_size))
    if len(chunks) == 1:
        loss = loss_function(network(crops))
        torch.autograd.backward(loss)
        return loss.detach()
    # The second pass embeds the same chunks, and must begin with the same state as the first pass. With another random
    # state, dropout would give other embeddings, and the cached gradients would not fit them. And the first pass must
    # not change the running statistics, or each chunk would count twice.
    with _restored_afterwards(network, crops.device):
        embeddings = _embed_without_graph(network, chunks)
    embeddings.grad = torch.zeros_like(embeddings)
    loss = loss_function(embeddings)
    torch.autograd.backward(loss)
    for chunk, gradient in zip(chunks, torch.tensor_split(embeddings.grad, len(chunks)), strict=True):
        torch.autograd.backward(network(chunk), gradient)
    return loss.detach()


def _embed_without_graph(network: nn.Module, chunks: tuple[Tensor, ...]) -> Tensor:
    """Return the embeddings, (n, d). They can hold a gradient, but have no graph of the network."""
    with torch.no_grad():
        embeddings = torch.cat([network(chunk) for chunk in chunks])
    return embeddings.requires_grad_()


@contextmanager
def _restored_afterwards(network: nn.Module, device: torch.device) -> Iterator[None]:
    """At the end, restore the random state and the buffers of the network, such as running statistics."""
    saved = [(buffer, buffer.clone()) for buffer in network.buffers()]
    devices = [] if device.type == "cpu" else [device]  # fork_rng always saves the state of the CPU
    try:
        with torch.random.fork_rng(devices, device_type=device.type):
            yield
    finally:
        for buffer, value in saved:
            buffer.copy_(value)
