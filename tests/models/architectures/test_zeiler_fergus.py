import pytest
import torch
from torch import Tensor, nn

from models.architectures.blocks import LocalResponseNorm, Maxout, stack
from models.architectures.zeiler_fergus import NN1, NN1_ROWS, FullyConnectedMaxout

CONVOLUTIONS = NN1_ROWS[:17]


@pytest.fixture(scope="module")
def maps() -> Tensor:
    """Return the output of pool4 for two crops of noise."""
    torch.manual_seed(0)
    network = stack(CONVOLUTIONS)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
    with torch.no_grad():
        pooled = network(torch.randn(2, 3, 220, 220))
    assert isinstance(pooled, Tensor)
    return pooled


def test_the_rows_are_in_the_order_of_the_paper() -> None:
    assert [row.name for row in NN1_ROWS] == [
        "conv1", "pool1", "rnorm1", "conv2a", "conv2", "rnorm2", "pool2", "conv3a", "conv3", "pool3",
        "conv4a", "conv4", "conv5a", "conv5", "conv6a", "conv6", "pool4", "concat", "fc1", "fc2",
    ]  # fmt: skip


def test_the_values_after_all_convolutions_neither_vanish_nor_explode(maps: Tensor) -> None:
    assert maps.shape == (2, 256, 7, 7)
    assert 0.1 < maps.std().item() < 10


def test_nn1_has_biases_response_norms_and_maxout_and_no_batch_normalisation() -> None:
    with torch.device("meta"):
        trunk = NN1.build_trunk()

    modules = list(trunk.modules())
    layers = [module for module in modules if isinstance(module, nn.Conv2d | nn.Linear)]
    assert all(layer.bias is not None for layer in layers)
    assert len([module for module in modules if isinstance(module, LocalResponseNorm)]) == 2
    assert len([module for module in modules if isinstance(module, Maxout)]) == 2
    assert not [module for module in modules if isinstance(module, nn.BatchNorm2d)]


def test_a_maxout_row_has_two_linear_functions_for_each_feature() -> None:
    layer = FullyConnectedMaxout("fc1", 3).build(8)

    assert layer(torch.zeros(2, 8)).shape == (2, 3)
    assert sum(parameter.numel() for parameter in layer.parameters()) == 2 * 3 * (8 + 1)
