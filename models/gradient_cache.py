"""Large batches on small memory: the gradient cache of Gao, Zhang, Han and Callan (2021, arXiv 2101.06983).

Triplets are chosen among all faces of a batch, but memory holds the activations of a part of them. The loss knows the
network through its embeddings alone, so a step takes three parts:

1. embed all faces chunk by chunk, without activations;
2. the loss of all embeddings, and its gradient with respect to each of them: the cache;
3. embed each chunk again, now with activations, and carry its part of the cached gradient back into the network.

The first pass adds about a third to a step. A batch of one chunk is spared it.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

Loss = Callable[[Tensor], Tensor]
"""(n, d) float32 embeddings of a batch -> () float32."""


def cached_step(network: nn.Module, crops: Tensor, chunk: int, loss: Loss) -> Tensor:
    """Adds the gradient of the loss of a whole batch to the gradients of the parameters, the loss's own among them.

    It is the gradient of `loss(torch.cat([network(one) for one in chunks]))` in one graph. Batch normalisation takes
    its statistics chunk by chunk, and its running statistics move once for each, as they do in that graph; without
    batch normalisation chunks make no difference. Random numbers (dropout) are the same in both passes. Under
    autocast the gradients of chunks are added up in float32, where one graph would add them in bfloat16.

    In data parallel training each process calls this with its own faces, and `loss` may gather the embeddings of all:
    what counts is its gradient with respect to the embeddings that it is given. Where that is the gradient of the whole
    loss, the sum of the network's gradients over the processes is the gradient of the whole batch. So they are to be
    summed once, after this call, and a wrapper that communicates in every backward pass is to be left out. Parameters
    of the loss have their whole gradient in every process already.

    crops: (n, h, w, 3) uint8. chunk: as many faces at once, at most; they are dealt out evenly, so that no chunk's
    statistics are those of a few. Returns the loss, () float32, without a graph.
    """
    parts = torch.tensor_split(crops, math.ceil(len(crops) / chunk))
    if len(parts) == 1:
        value = loss(network(crops))
        torch.autograd.backward(value)
        return value.detach()
    with _left_as_it_was(network, crops.device):
        embeddings = _embed(network, parts)
    embeddings.grad = torch.zeros_like(embeddings)
    value = loss(embeddings)
    torch.autograd.backward(value)
    for part, gradient in zip(parts, torch.tensor_split(embeddings.grad, len(parts)), strict=True):
        torch.autograd.backward(network(part), gradient)
    return value.detach()


def _embed(network: nn.Module, parts: tuple[Tensor, ...]) -> Tensor:
    """(n, d) embeddings without the network's graph, of which a gradient can be taken."""
    with torch.no_grad():
        embeddings = torch.cat([network(part) for part in parts])
    return embeddings.requires_grad_()


@contextmanager
def _left_as_it_was(network: nn.Module, device: torch.device) -> Iterator[None]:
    """Whatever is embedded meanwhile moves neither running statistics (or any other buffer) nor the random numbers."""
    kept = [(buffer, buffer.clone()) for buffer in network.buffers()]
    devices = [] if device.type == "cpu" else [device]
    try:
        with torch.random.fork_rng(devices, device_type=device.type):
            yield
    finally:
        for buffer, before in kept:
            buffer.copy_(before)
