import pytest
import torch
from torch import nn

from models.architectures import ARCHITECTURES
from models.architectures.blocks import L2Pool, max_pool
from models.architectures.inception import NN2_ROWS, NN4_ROWS, Inception

INCEPTIONS = [row for row in NN2_ROWS if isinstance(row, Inception)]


def kernel_sizes(network: nn.Module) -> set[tuple[int, ...]]:
    return {module.kernel_size for module in network.modules() if isinstance(module, nn.Conv2d)}


def test_the_channels_of_the_branches_are_joined_in_order() -> None:
    module = Inception("x", 4, 2, 3, 2, 5, max_pool, 6).build(8).eval()
    maps = torch.randn(2, 8, 5, 5)

    joined = module(maps)

    branches = [branch(maps) for branch in module.get_submodule("branches").children()]
    assert [branch.shape[1] for branch in branches] == [4, 3, 5, 6]
    torch.testing.assert_close(joined, torch.cat(branches, dim=1))


def test_without_a_projection_the_output_has_the_pooled_map() -> None:
    module = Inception("x", 0, 2, 3, 0, 0, max_pool, 0, stride=2).build(8)
    maps = torch.randn(2, 8, 7, 7)

    joined = module(maps)

    assert joined.shape == (2, 3 + 8, 4, 4)
    torch.testing.assert_close(joined[:, 3:], max_pool(stride=2)(maps))


def test_without_a_pool_there_are_only_convolutions() -> None:
    row = Inception("x", 0, 2, 3, 0, 0, None, 0)

    assert row.out_channels(8) == 3
    assert not [module for module in row.build(8).modules() if isinstance(module, nn.MaxPool2d | L2Pool)]


@pytest.mark.parametrize("row", INCEPTIONS, ids=lambda row: row.name)
def test_out_channels_is_the_number_of_channels_that_the_module_returns(row: Inception) -> None:
    with torch.device("meta"):
        maps = row.build(320)(torch.empty(2, 320, 14, 14))

    assert maps.shape == (2, row.out_channels(320), 14 // row.stride, 14 // row.stride)


def test_nn4_lacks_the_5x5_branch_of_nn2_only_in_its_last_three_modules() -> None:
    modules = {row.name: row.build(320) for row in NN4_ROWS if isinstance(row, Inception)}

    # In NN2, row 2 has no 5 x 5 branch either.
    assert {name for name, module in modules.items() if (5, 5) not in kernel_sizes(module)} == {"2", "4e", "5a", "5b"}


def test_the_rows_with_l2_pooling_are_those_of_the_table() -> None:
    assert [row.name for row in INCEPTIONS if row.pool is L2Pool] == ["3b", "4a", "4b", "4c", "4d", "5a"]


def test_nn3_has_the_weights_of_nn2() -> None:
    with torch.device("meta"):
        nn2, nn3 = (ARCHITECTURES[name].build_trunk().state_dict() for name in ("nn2", "nn3"))

    assert {name: weight.shape for name, weight in nn2.items()} == {name: weight.shape for name, weight in nn3.items()}
