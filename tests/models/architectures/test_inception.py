import pytest
import torch
from torch import nn

from models.architectures import ARCHITECTURES
from models.architectures.blocks import L2Pool, max_pool
from models.architectures.inception import NN2_ROWS, NN4_ROWS, Inception

INCEPTIONS = [row for row in NN2_ROWS if isinstance(row, Inception)]


def kernels(module: nn.Module) -> set[tuple[int, ...]]:
    return {one.kernel_size for one in module.modules() if isinstance(one, nn.Conv2d)}


def test_branches_stand_one_after_another() -> None:
    module = Inception("x", 4, 2, 3, 2, 5, max_pool, 6).build(8).eval()
    maps = torch.randn(2, 8, 5, 5)

    given = module(maps)

    branches = [branch(maps) for branch in module.get_submodule("branches").children()]
    assert [one.shape[1] for one in branches] == [4, 3, 5, 6]
    torch.testing.assert_close(given, torch.cat(branches, dim=1))


def test_without_a_projection_the_pooled_map_is_passed_on() -> None:
    module = Inception("x", 0, 2, 3, 0, 0, max_pool, 0, stride=2).build(8)
    maps = torch.randn(2, 8, 7, 7)

    given = module(maps)

    assert given.shape == (2, 3 + 8, 4, 4)
    torch.testing.assert_close(given[:, 3:], max_pool(stride=2)(maps))


def test_without_a_pool_there_are_convolutions_alone() -> None:
    row = Inception("x", 0, 2, 3, 0, 0, None, 0)

    assert row.gives(8) == 3
    assert not [one for one in row.build(8).modules() if isinstance(one, nn.MaxPool2d | L2Pool)]


@pytest.mark.parametrize("row", INCEPTIONS, ids=lambda row: row.name)
def test_a_row_gives_the_channels_that_it_says(row: Inception) -> None:
    with torch.device("meta"):
        given = row.build(320)(torch.empty(2, 320, 14, 14))

    assert given.shape == (2, row.gives(320), 14 // row.stride, 14 // row.stride)


def test_nn4_has_no_5x5_in_its_last_three_modules_alone() -> None:
    built = {row.name: row.build(320) for row in NN4_ROWS if isinstance(row, Inception)}

    assert {name for name, module in built.items() if (5, 5) not in kernels(module)} == {"2", "4e", "5a", "5b"}


def test_l2_pooling_stands_where_the_table_has_it() -> None:
    assert [row.name for row in INCEPTIONS if row.pool is L2Pool] == ["3b", "4a", "4b", "4c", "4d", "5a"]


def test_nn3_is_nn2_on_a_smaller_crop() -> None:
    with torch.device("meta"):
        larger, smaller = (ARCHITECTURES[name].trunk().state_dict() for name in ("nn2", "nn3"))

    assert {name: one.shape for name, one in larger.items()} == {name: one.shape for name, one in smaller.items()}
