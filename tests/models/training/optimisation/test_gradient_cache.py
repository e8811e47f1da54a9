"""The gradient cache, compared with a single graph over the same chunks, and over the whole batch at once."""

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.errors import TrainingError
from models.training.objectives.triplet_loss import triplet_loss
from models.training.objectives.triplet_mining import SemiHardMiner
from models.training.optimisation.gradient_cache import cached_step

PEOPLE = torch.arange(22) % 4


class TinyNetwork(nn.Module):
    """Two convolutions with a layer between them.

    calls: the number of faces of each call, and whether it made a graph.
    """

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Conv2d(3, 4, 3), layer, nn.ReLU(), nn.Conv2d(4, 6, 3, stride=2), nn.Flatten())
        self.embedding = nn.Linear(54, 5)
        self.calls: list[tuple[int, bool]] = []

    def forward(self, crops: Tensor) -> Tensor:
        self.calls.append((len(crops), torch.is_grad_enabled()))
        pixels = (crops.permute(0, 3, 1, 2).to(torch.float32) - 127.5) / 128.0
        return functional.normalize(self.embedding(self.trunk(pixels)).float())


def _network(layer: nn.Module) -> TinyNetwork:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return TinyNetwork(layer)


def _crops() -> Tensor:
    """Return 22 faces. With chunks of at most 8 they are split into 8, 7 and 7."""
    return torch.randint(256, (22, 9, 9, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def _loss(embeddings: Tensor) -> Tensor:
    """Return a loss that depends on all embeddings together: triplets of the whole batch, and its second moments."""
    triplets = SemiHardMiner().mine(embeddings.detach(), PEOPLE)
    assert len(triplets) > 5
    return triplet_loss(embeddings, triplets) + (embeddings.T @ embeddings).square().mean() / 100


def _single_graph_step(network: nn.Module, crops: Tensor, chunks: int) -> Tensor:
    """Do the same as `cached_step`, but with the graphs of all chunks in memory."""
    loss = _loss(torch.cat([network(chunk) for chunk in torch.tensor_split(crops, chunks)]))
    torch.autograd.backward(loss)
    return loss.detach()


def _gradients(network: nn.Module) -> dict[str, Tensor]:
    gradients = {name: parameter.grad for name, parameter in network.named_parameters() if parameter.grad is not None}
    assert len(gradients) == len(list(network.parameters()))
    return gradients


def _assert_same_buffers(network: nn.Module, reference: nn.Module) -> None:
    torch.testing.assert_close(dict(network.named_buffers()), dict(reference.named_buffers()), rtol=1e-6, atol=0.0)


def test_the_gradient_is_that_of_a_single_graph_over_the_same_chunks() -> None:
    network = _network(nn.BatchNorm2d(4))
    reference = deepcopy(network)

    loss = cached_step(network, _crops(), 8, _loss)
    expected = _single_graph_step(reference, _crops(), 3)

    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(_gradients(network), _gradients(reference), rtol=1e-5, atol=1e-7)
    _assert_same_buffers(network, reference)
    assert network.get_buffer("trunk.1.num_batches_tracked") == 3


def test_half_precision_changes_only_the_rounding_of_gradients() -> None:
    network = _network(nn.BatchNorm2d(4))
    reference = deepcopy(network)

    with torch.autocast("cpu", torch.bfloat16):
        loss = cached_step(network, _crops(), 8, _loss)
        expected = _single_graph_step(reference, _crops(), 3)

    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(_gradients(network), _gradients(reference), rtol=1e-2, atol=2e-3)
    _assert_same_buffers(network, reference)


def test_without_batch_statistics_the_gradient_is_that_of_the_whole_batch() -> None:
    network = _network(nn.GroupNorm(2, 4))
    reference = deepcopy(network)

    loss = cached_step(network, _crops(), 8, _loss)
    expected = _single_graph_step(reference, _crops(), 1)

    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(_gradients(network), _gradients(reference), rtol=1e-5, atol=1e-7)


def test_dropout_is_the_same_in_the_two_passes() -> None:
    network = _network(nn.Dropout(0.3))
    reference = deepcopy(network)

    torch.manual_seed(5)
    loss = cached_step(network, _crops(), 8, _loss)
    torch.manual_seed(5)
    expected = _single_graph_step(reference, _crops(), 3)

    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(_gradients(network), _gradients(reference), rtol=1e-5, atol=1e-7)


def test_running_statistics_without_momentum_are_the_mean_over_all_chunks() -> None:
    network = _network(nn.BatchNorm2d(4, momentum=None))
    reference = deepcopy(network)

    cached_step(network, _crops(), 8, _loss)
    _single_graph_step(reference, _crops(), 3)

    _assert_same_buffers(network, reference)


def test_no_graph_is_larger_than_a_chunk() -> None:
    network = _network(nn.BatchNorm2d(4))

    cached_step(network, _crops(), 8, _loss)

    first_pass, second_pass = [(8, False), (7, False), (7, False)], [(8, True), (7, True), (7, True)]
    assert network.calls == first_pass + second_pass


@pytest.mark.parametrize("chunk_size", [22, 100])
def test_a_batch_of_one_chunk_is_embedded_once(chunk_size: int) -> None:
    network = _network(nn.BatchNorm2d(4))
    reference = deepcopy(network)

    loss = cached_step(network, _crops(), chunk_size, _loss)

    assert network.calls == [(22, True)]
    assert loss == _single_graph_step(reference, _crops(), 1)
    assert not loss.requires_grad
    torch.testing.assert_close(_gradients(network), _gradients(reference), rtol=0.0, atol=0.0)
    _assert_same_buffers(network, reference)


def test_gradients_are_added_to_earlier_gradients() -> None:
    network = _network(nn.Identity())

    cached_step(network, _crops(), 8, _loss)
    once = {name: gradient.clone() for name, gradient in _gradients(network).items()}
    loss = cached_step(network, _crops(), 8, _loss)

    torch.testing.assert_close(_gradients(network), {name: 2 * gradient for name, gradient in once.items()})
    assert not loss.requires_grad


def test_the_parameters_of_the_loss_get_their_gradients_too() -> None:
    network = _network(nn.BatchNorm2d(4))
    reference = deepcopy(network)
    scale, reference_scale = (nn.Parameter(torch.linspace(0.5, 1.5, 5)) for _ in range(2))

    cached_step(network, _crops(), 8, lambda embeddings: _loss(embeddings * scale))
    embeddings = torch.cat([reference(chunk) for chunk in torch.tensor_split(_crops(), 3)])
    torch.autograd.backward(_loss(embeddings * reference_scale))

    torch.testing.assert_close(scale.grad, reference_scale.grad, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(_gradients(network), _gradients(reference), rtol=1e-5, atol=1e-7)


def test_the_sum_over_processes_is_the_gradient_of_the_whole_batch() -> None:
    crops = _crops()
    halves = crops[:12], crops[12:]
    whole, network = _network(nn.GroupNorm(2, 4)), _network(nn.GroupNorm(2, 4))
    _single_graph_step(whole, crops, 1)
    with torch.no_grad():
        first, second = (network(half) for half in halves)

    # In each process, the embeddings of other processes are constants. Only its own embeddings have a gradient.
    cached_step(network, halves[0], 5, lambda own: _loss(torch.cat([own, second])))
    cached_step(network, halves[1], 5, lambda own: _loss(torch.cat([first, own])))

    torch.testing.assert_close(_gradients(network), _gradients(whole), rtol=1e-5, atol=1e-7)


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(TrainingError, match="The batch has no face"):
        cached_step(nn.Identity(), torch.empty(0, 9, 9, 3, dtype=torch.uint8), 8, torch.sum)
