"""The cache beside one graph over the same chunks, and beside the whole batch at once."""

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.gradient_cache import cached_step
from models.triplets import SemiHardMiner, triplet_loss

PEOPLE = torch.arange(22) % 4


class Tiny(nn.Module):
    """Two convolutions around what is tested. What it was asked to embed is in `asked`: faces, with a graph or not."""

    def __init__(self, between: nn.Module) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Conv2d(3, 4, 3), between, nn.ReLU(), nn.Conv2d(4, 6, 3, stride=2), nn.Flatten())
        self.embedding = nn.Linear(54, 5)
        self.asked: list[tuple[int, bool]] = []

    def forward(self, crops: Tensor) -> Tensor:
        self.asked.append((len(crops), torch.is_grad_enabled()))
        pixels = (crops.permute(0, 3, 1, 2).to(torch.float32) - 127.5) / 128.0
        return functional.normalize(self.embedding(self.trunk(pixels)).float())


def _network(between: nn.Module) -> Tiny:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return Tiny(between)


def _crops() -> Tensor:
    """22 faces, which chunks of 8 split into 8, 7 and 7."""
    return torch.randint(256, (22, 9, 9, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def _loss(embeddings: Tensor) -> Tensor:
    """Triplets of the whole batch, and the second moments of all, so that no part of it stands alone."""
    triplets = SemiHardMiner().mine(embeddings.detach(), PEOPLE)
    assert len(triplets) > 5
    return triplet_loss(embeddings, triplets) + (embeddings.T @ embeddings).square().mean() / 100


def _one_graph(network: nn.Module, crops: Tensor, parts: int) -> Tensor:
    """The slow way, in memory: all chunks are embedded with their graphs, and kept."""
    value = _loss(torch.cat([network(part) for part in torch.tensor_split(crops, parts)]))
    torch.autograd.backward(value)
    return value.detach()


def _gradients(network: nn.Module) -> dict[str, Tensor]:
    gradients = {name: one.grad for name, one in network.named_parameters() if one.grad is not None}
    assert len(gradients) == len(list(network.parameters()))
    return gradients


def _assert_same_buffers(ours: nn.Module, theirs: nn.Module) -> None:
    torch.testing.assert_close(dict(ours.named_buffers()), dict(theirs.named_buffers()), rtol=1e-6, atol=0.0)


def test_it_is_one_graph_over_the_same_chunks() -> None:
    network = _network(nn.BatchNorm2d(4))
    reference = deepcopy(network)

    value = cached_step(network, _crops(), 8, _loss)
    expected = _one_graph(reference, _crops(), 3)

    torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(_gradients(network), _gradients(reference), rtol=1e-5, atol=1e-7)
    _assert_same_buffers(network, reference)
    assert network.get_buffer("trunk.1.num_batches_tracked") == 3


def test_half_precision_changes_nothing_but_the_rounding_of_gradients() -> None:
    network = _network(nn.BatchNorm2d(4))
    reference = deepcopy(network)

    with torch.autocast("cpu", torch.bfloat16):
        value = cached_step(network, _crops(), 8, _loss)
        expected = _one_graph(reference, _crops(), 3)

    torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(_gradients(network), _gradients(reference), rtol=1e-2, atol=2e-3)
    _assert_same_buffers(network, reference)


def test_without_batch_statistics_it_is_the_whole_batch() -> None:
    network = _network(nn.GroupNorm(2, 4))
    reference = deepcopy(network)

    value = cached_step(network, _crops(), 8, _loss)
    expected = _one_graph(reference, _crops(), 1)

    torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(_gradients(network), _gradients(reference), rtol=1e-5, atol=1e-7)


def test_dropout_draws_the_same_in_both_passes() -> None:
    network = _network(nn.Dropout(0.3))
    reference = deepcopy(network)

    torch.manual_seed(5)
    value = cached_step(network, _crops(), 8, _loss)
    torch.manual_seed(5)
    expected = _one_graph(reference, _crops(), 3)

    torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(_gradients(network), _gradients(reference), rtol=1e-5, atol=1e-7)


def test_running_statistics_average_over_all_chunks_where_that_is_asked_for() -> None:
    network = _network(nn.BatchNorm2d(4, momentum=None))
    reference = deepcopy(network)

    cached_step(network, _crops(), 8, _loss)
    _one_graph(reference, _crops(), 3)

    _assert_same_buffers(network, reference)


def test_no_graph_is_larger_than_a_chunk() -> None:
    network = _network(nn.BatchNorm2d(4))

    cached_step(network, _crops(), 8, _loss)

    without, with_graph = [(8, False), (7, False), (7, False)], [(8, True), (7, True), (7, True)]
    assert network.asked == without + with_graph


@pytest.mark.parametrize("chunk", [22, 100])
def test_a_batch_of_one_chunk_is_embedded_once(chunk: int) -> None:
    network = _network(nn.BatchNorm2d(4))
    reference = deepcopy(network)

    value = cached_step(network, _crops(), chunk, _loss)

    assert network.asked == [(22, True)]
    assert value == _one_graph(reference, _crops(), 1)
    assert not value.requires_grad
    torch.testing.assert_close(_gradients(network), _gradients(reference), rtol=0.0, atol=0.0)
    _assert_same_buffers(network, reference)


def test_gradients_are_added_to_those_that_are_there() -> None:
    network = _network(nn.Identity())

    cached_step(network, _crops(), 8, _loss)
    once = {name: gradient.clone() for name, gradient in _gradients(network).items()}
    value = cached_step(network, _crops(), 8, _loss)

    torch.testing.assert_close(_gradients(network), {name: 2 * gradient for name, gradient in once.items()})
    assert not value.requires_grad


def test_parameters_of_the_loss_get_their_gradient_too() -> None:
    network = _network(nn.BatchNorm2d(4))
    reference = deepcopy(network)
    ours, theirs = (nn.Parameter(torch.linspace(0.5, 1.5, 5)) for _ in range(2))

    cached_step(network, _crops(), 8, lambda embeddings: _loss(embeddings * ours))
    embeddings = torch.cat([reference(part) for part in torch.tensor_split(_crops(), 3)])
    torch.autograd.backward(_loss(embeddings * theirs))

    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(_gradients(network), _gradients(reference), rtol=1e-5, atol=1e-7)


def test_the_sum_over_processes_is_the_gradient_of_the_whole_batch() -> None:
    crops = _crops()
    halves = crops[:12], crops[12:]
    whole, network = _network(nn.GroupNorm(2, 4)), _network(nn.GroupNorm(2, 4))
    _one_graph(whole, crops, 1)
    with torch.no_grad():
        first, second = (network(half) for half in halves)

    # What each process gets of the others is a constant to it; its own embeddings are where the gradient goes.
    cached_step(network, halves[0], 5, lambda own: _loss(torch.cat([own, second])))
    cached_step(network, halves[1], 5, lambda own: _loss(torch.cat([first, own])))

    torch.testing.assert_close(_gradients(network), _gradients(whole), rtol=1e-5, atol=1e-7)
