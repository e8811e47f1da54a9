"""The Inception networks of FaceNet, section 3.3: NN2 (Table 2), NN3, NN4, and our own NNS1 and NNS2.

Where Table 2 has "norm" beside a pooling, the batch normalisation of the row before is that norm: it leaves numbers of
about one, which local response normalisation would change by a ten-thousandth.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from models.architectures.blocks import (
    Average,
    Flat,
    Full,
    L2Pool,
    Normalised,
    Pool,
    convolution,
    features,
    max_pool,
    stack,
)
from models.architectures.network import Architecture


class Beside(nn.Module):
    """Branches that look at the same map, their channels one after another."""

    def __init__(self, branches: list[nn.Module]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, maps: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, the branches' channels in all, h / stride, w / stride)."""
        return torch.cat([branch(maps) for branch in self.branches], dim=1)


@dataclass(frozen=True, slots=True)
class Inception:
    """A row of Table 2, its columns in the table's order; a branch of 0 channels is absent.

    pool: what is beside the convolutions, for a stride; None for nothing. projection: 0 passes the pooled map on as it
    is. stride: of the 3 x 3, the 5 x 5 and the pooling.
    """

    name: str
    one: int
    reduce_three: int
    three: int
    reduce_five: int
    five: int
    pool: Callable[[int], nn.Module] | None
    projection: int
    stride: int = 1

    def gives(self, channels: int) -> int:
        """The branches' channels in all."""
        pooled = (self.projection or channels) if self.pool else 0
        return self.one + self.three + self.five + pooled

    def build(self, channels: int) -> nn.Module:
        """(n, channels, h, w) -> (n, self.gives(channels), h / stride, w / stride), rounded up."""
        branches: list[nn.Module] = []
        if self.one:
            branches.append(convolution(channels, self.one, 1))
        if self.three:
            branches.append(self._reduced(channels, self.reduce_three, self.three, 3))
        if self.five:
            branches.append(self._reduced(channels, self.reduce_five, self.five, 5))
        if self.pool:
            branches.append(self._pooled(channels, self.pool(self.stride)))
        return Beside(branches)

    def _reduced(self, channels: int, between: int, out: int, kernel: int) -> nn.Module:
        return nn.Sequential(convolution(channels, between, 1), convolution(between, out, kernel, self.stride))

    def _pooled(self, channels: int, pool: nn.Module) -> nn.Module:
        return nn.Sequential(pool, convolution(channels, self.projection, 1)) if self.projection else pool


# Table 2: name, 1 x 1, 3 x 3 reduce, 3 x 3, 5 x 5 reduce, 5 x 5, pool, projection; then what the row gives in NN2, and
# the map in NN3 and NN4, which have NN2's channels but for the three rows where NN4 has no 5 x 5.
NN2_ROWS = (
    Normalised("conv1", 64, 7, stride=2),  #                        112 x 112 x 64 | 80 x 80 | 48 x 48
    Pool("pool1"),  #                                               56 x 56 x 64   | 40 x 40 | 24 x 24
    Inception("2", 0, 64, 192, 0, 0, None, 0),  #                   56 x 56 x 192  | 40 x 40 | 24 x 24
    Pool("pool2"),  #                                               28 x 28 x 192  | 20 x 20 | 12 x 12
    Inception("3a", 64, 96, 128, 16, 32, max_pool, 32),  #          28 x 28 x 256  | 20 x 20 | 12 x 12
    Inception("3b", 64, 96, 128, 32, 64, L2Pool, 64),  #            28 x 28 x 320  | 20 x 20 | 12 x 12
    Inception("3c", 0, 128, 256, 32, 64, max_pool, 0, stride=2),  # 14 x 14 x 640  | 10 x 10 | 6 x 6
    Inception("4a", 256, 96, 192, 32, 64, L2Pool, 128),  #          14 x 14 x 640  | 10 x 10 | 6 x 6
    Inception("4b", 224, 112, 224, 32, 64, L2Pool, 128),  #         14 x 14 x 640  | 10 x 10 | 6 x 6
    Inception("4c", 192, 128, 256, 32, 64, L2Pool, 128),  #         14 x 14 x 640  | 10 x 10 | 6 x 6
    Inception("4d", 160, 144, 288, 32, 64, L2Pool, 128),  #         14 x 14 x 640  | 10 x 10 | 6 x 6
    Inception("4e", 0, 160, 256, 64, 128, max_pool, 0, stride=2),  # 7 x 7 x 1024  | 5 x 5   | 3 x 3 x 896
    Inception("5a", 384, 192, 384, 48, 128, L2Pool, 128),  #        7 x 7 x 1024   | 5 x 5   | 3 x 3 x 896
    Inception("5b", 384, 192, 384, 48, 128, max_pool, 128),  #      7 x 7 x 1024   | 5 x 5   | 3 x 3 x 896
    Average("avg_pool"),  #                                         1 x 1 x 1024   |         | 1 x 1 x 896
)

NN4_WITHOUT_FIVE = ("4e", "5a", "5b")
"""NN4 has no 5 x 5 "in the higher layers". Of all choices these give the 6.6 M weights and 285 M that are printed."""

NN4_ROWS = tuple(
    replace(row, reduce_five=0, five=0) if isinstance(row, Inception) and row.name in NN4_WITHOUT_FIVE else row
    for row in NN2_ROWS
)

# NNS1 and NNS2, "mini" and "tiny" Inception. The paper prints their inputs, weights (26 M, 4.3 M) and multiply-adds
# (220 M, 20 M), which ours have to these digits; the rows are ours. So many weights for so few multiply-adds can only
# lie in a fully connected layer, where each is used once. Sizes fall early, and by strides, for speed.
NNS1_ROWS = (
    Normalised("conv1", 32, 3, stride=2),  #                       83 x 83 x 32
    Normalised("conv2", 48, 3, stride=2),  #                       42 x 42 x 48
    Inception("3a", 0, 64, 128, 0, 0, max_pool, 0, stride=2),  #   21 x 21 x 176
    Inception("3b", 64, 64, 96, 16, 32, L2Pool, 16),  #            21 x 21 x 208
    Inception("4a", 0, 96, 192, 16, 32, max_pool, 0, stride=2),  # 11 x 11 x 432
    Inception("4b", 128, 80, 160, 16, 32, L2Pool, 96),  #          11 x 11 x 416
    Inception("5a", 0, 128, 256, 24, 64, max_pool, 0, stride=2),  # 6 x 6 x 736
    Flat("concat", 6, 6),  #                                       26,496
    Full("fc1", 928),  #                                           928
)

# Of eight tables of 18 to 22 M multiply-adds, each trained once on 20,000 views towards another network's embeddings,
# this came second, by 0.003 in the cosine, to one of 22 M. Those with Inception modules on larger maps came lower, by
# 0.01 to 0.03, and train a quarter slower.
NNS2_ROWS = (
    Normalised("conv1", 8, 3, stride=2),  #                     70 x 58 x 8
    Normalised("conv2", 24, 3, stride=2),  #                    35 x 29 x 24
    Normalised("conv3", 64, 3, stride=2),  #                    18 x 15 x 64
    Normalised("conv4a", 80, 3, stride=2),  #                   9 x 8 x 80
    Normalised("conv4b", 80, 3),  #                             9 x 8 x 80
    Inception("5a", 0, 64, 160, 0, 0, max_pool, 0, stride=2),  # 5 x 4 x 240
    Flat("concat", 5, 4),  #                                    4,800
    Full("fc1", 832),  #                                        832
)

NN2 = Architecture("nn2", 224, 224, features(NN2_ROWS), partial(stack, NN2_ROWS))
NN3 = Architecture("nn3", 160, 160, features(NN2_ROWS), partial(stack, NN2_ROWS))
NN4 = Architecture("nn4", 96, 96, features(NN4_ROWS), partial(stack, NN4_ROWS))
NNS1 = Architecture("nns1", 165, 165, features(NNS1_ROWS), partial(stack, NNS1_ROWS))
NNS2 = Architecture("nns2", 140, 116, features(NNS2_ROWS), partial(stack, NNS2_ROWS), view=(3, -8, 109, 120))
