import pytest
import torch
from torch import Tensor, nn

from models.architectures.blocks import LocalResponseNorm, Maxout, stack
from models.architectures.zeiler_fergus import NN1, NN1_ROWS, FullMaxout

CONVOLUTIONS = NN1_ROWS[:17]


@pytest.fixture(scope="module")
def maps() -> Tensor:
    """What pool4 gives for two crops of noise."""
    torch.manual_seed(0)
    network = stack(CONVOLUTIONS)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
    with torch.no_grad():
        given = network(torch.randn(2, 3, 220, 220))
    assert isinstance(given, Tensor)
    return given


def test_the_table_is_in_the_papers_order() -> None:
    assert [row.name for row in NN1_ROWS] == [
        "conv1", "pool1", "rnorm1", "conv2a", "conv2", "rnorm2", "pool2", "conv3a", "conv3", "pool3",
        "conv4a", "conv4", "conv5a", "conv5", "conv6a", "conv6", "pool4", "concat", "fc1", "fc2",
    ]  # fmt: skip


def test_the_convolutions_keep_the_size_of_numbers(maps: Tensor) -> None:
    assert maps.shape == (2, 256, 7, 7)
    assert 0.1 < maps.std().item() < 10


def test_the_paper_has_biases_response_norms_and_maxout() -> None:
    with torch.device("meta"):
        trunk = NN1.trunk()

    modules = list(trunk.modules())
    layers = [one for one in modules if isinstance(one, nn.Conv2d | nn.Linear)]
    assert all(layer.bias is not None for layer in layers)
    assert len([one for one in modules if isinstance(one, LocalResponseNorm)]) == 2
    assert len([one for one in modules if isinstance(one, Maxout)]) == 2
    assert not [one for one in modules if isinstance(one, nn.BatchNorm2d)]


def test_a_maxout_row_has_two_pieces_for_each_number() -> None:
    layer = FullMaxout("fc1", 3).build(8)

    assert layer(torch.zeros(2, 8)).shape == (2, 3)
    assert sum(one.numel() for one in layer.parameters()) == 2 * 3 * (8 + 1)
