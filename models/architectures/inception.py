"""The Inception networks of FaceNet, section 3.3: NN2 (Table 2), NN3, NN4, NNS1 and NNS2.

Table 2 has "norm" beside two poolings: local response normalisation. It is left out here, because the row before has
batch normalisation. After that, values are about 1, and local response normalisation would change them by 0.01 %.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from models.architectures.blocks import (
    AveragePool,
    ConvBnRelu,
    Flatten,
    FullyConnected,
    L2Pool,
    MaxPool,
    conv_bn_relu,
    count_features,
    max_pool,
    stack,
)
from models.architectures.network import Architecture


class Branches(nn.Module):
    """Branches with the same input. Their output channels are joined in the order of the branches."""

    def __init__(self, branches: list[nn.Module]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, maps: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, sum of the channels of all branches, h / stride, w / stride)."""
        return torch.cat([branch(maps) for branch in self.branches], dim=1)


@dataclass(frozen=True, slots=True)
class Inception:
    """A row of Table 2. The fields are the columns of the table, in the same order.

    conv_1x1, conv_3x3, conv_5x5: output channels of the branch with this convolution. 0 leaves the branch out.
    reduce_3x3, reduce_5x5: output channels of the 1 x 1 convolution before it.
    pool: takes a stride, and returns the pooling of the last branch. None leaves the branch out.
    projection: output channels of the 1 x 1 convolution after the pooling. 0 leaves this convolution out.
    stride: of the 3 x 3 and 5 x 5 convolutions, and of the pooling.
    """

    name: str
    conv_1x1: int
    reduce_3x3: int
    conv_3x3: int
    reduce_5x5: int
    conv_5x5: int
    pool: Callable[[int], nn.Module] | None
    projection: int
    stride: int = 1

    def out_channels(self, in_channels: int) -> int:
        """Return the sum of the channels of all branches."""
        pooled = (self.projection or in_channels) if self.pool else 0
        return self.conv_1x1 + self.conv_3x3 + self.conv_5x5 + pooled

    def build(self, in_channels: int) -> nn.Module:
        """Return the module: (n, in_channels, h, w) -> (n, out_channels, h / stride, w / stride), rounded up."""
        branches: list[nn.Module] = []
        if self.conv_1x1:
            branches.append(conv_bn_relu(in_channels, self.conv_1x1, 1))
        if self.conv_3x3:
            branches.append(self._reduced(in_channels, self.reduce_3x3, self.conv_3x3, 3))
        if self.conv_5x5:
            branches.append(self._reduced(in_channels, self.reduce_5x5, self.conv_5x5, 5))
        if self.pool:
            branches.append(self._pooled(in_channels, self.pool(self.stride)))
        return Branches(branches)

    def _reduced(self, in_channels: int, reduced: int, filters: int, kernel: int) -> nn.Module:
        return nn.Sequential(conv_bn_relu(in_channels, reduced, 1), conv_bn_relu(reduced, filters, kernel, self.stride))

    def _pooled(self, in_channels: int, pool: nn.Module) -> nn.Module:
        return nn.Sequential(pool, conv_bn_relu(in_channels, self.projection, 1)) if self.projection else pool


# Table 2. The columns of `Inception` are: name, 1 x 1, 3 x 3 reduce, 3 x 3, 5 x 5 reduce, 5 x 5, pool, projection.
# Each comment gives: the output in NN2 | the size of the map in NN3 | the size of the map in NN4. NN3 and NN4 have the
# same channels as NN2. The exceptions are the rows 4e, 5a and 5b of NN4, which have no 5 x 5 branch.
NN2_ROWS = (
    ConvBnRelu("conv1", 64, 7, stride=2),  #                         112 x 112 x 64 | 80 x 80 | 48 x 48
    MaxPool("pool1"),  #                                             56 x 56 x 64   | 40 x 40 | 24 x 24
    Inception("2", 0, 64, 192, 0, 0, None, 0),  #                    56 x 56 x 192  | 40 x 40 | 24 x 24
    MaxPool("pool2"),  #                                             28 x 28 x 192  | 20 x 20 | 12 x 12
    Inception("3a", 64, 96, 128, 16, 32, max_pool, 32),  #           28 x 28 x 256  | 20 x 20 | 12 x 12
    Inception("3b", 64, 96, 128, 32, 64, L2Pool, 64),  #             28 x 28 x 320  | 20 x 20 | 12 x 12
    Inception("3c", 0, 128, 256, 32, 64, max_pool, 0, stride=2),  #  14 x 14 x 640  | 10 x 10 | 6 x 6
    Inception("4a", 256, 96, 192, 32, 64, L2Pool, 128),  #           14 x 14 x 640  | 10 x 10 | 6 x 6
    Inception("4b", 224, 112, 224, 32, 64, L2Pool, 128),  #          14 x 14 x 640  | 10 x 10 | 6 x 6
    Inception("4c", 192, 128, 256, 32, 64, L2Pool, 128),  #          14 x 14 x 640  | 10 x 10 | 6 x 6
    Inception("4d", 160, 144, 288, 32, 64, L2Pool, 128),  #          14 x 14 x 640  | 10 x 10 | 6 x 6
    Inception("4e", 0, 160, 256, 64, 128, max_pool, 0, stride=2),  # 7 x 7 x 1024   | 5 x 5   | 3 x 3 x 896
    Inception("5a", 384, 192, 384, 48, 128, L2Pool, 128),  #         7 x 7 x 1024   | 5 x 5   | 3 x 3 x 896
    Inception("5b", 384, 192, 384, 48, 128, max_pool, 128),  #       7 x 7 x 1024   | 5 x 5   | 3 x 3 x 896
    AveragePool("avg_pool"),  #                                      1 x 1 x 1024   |         | 1 x 1 x 896
)

NN4_ROWS_WITHOUT_5X5 = ("4e", "5a", "5b")
"""The rows of NN4 without a 5 x 5 branch. The paper says only that NN4 has none "in the higher layers".

Only this choice of rows gives the 6.6 M weights and 285 M multiply-adds that the paper prints.
"""

NN4_ROWS = tuple(
    replace(row, reduce_5x5=0, conv_5x5=0) if isinstance(row, Inception) and row.name in NN4_ROWS_WITHOUT_5X5 else row
    for row in NN2_ROWS
)

# NNS1 and NNS2 are the "mini" and "tiny" Inception of the paper. The paper prints their inputs, weights (26 M, 4.3 M)
# and multiply-adds (220 M, 20 M), but not their rows. These rows were chosen for this project. Rounded as in the paper,
# their counts equal the printed numbers. Many weights with few multiply-adds need a fully connected layer, because such
# a layer uses each weight once. For speed, the first rows halve the maps, by strides and not by pooling.
NNS1_ROWS = (
    ConvBnRelu("conv1", 32, 3, stride=2),  #                        83 x 83 x 32
    ConvBnRelu("conv2", 48, 3, stride=2),  #                        42 x 42 x 48
    Inception("3a", 0, 64, 128, 0, 0, max_pool, 0, stride=2),  #    21 x 21 x 176
    Inception("3b", 64, 64, 96, 16, 32, L2Pool, 16),  #             21 x 21 x 208
    Inception("4a", 0, 96, 192, 16, 32, max_pool, 0, stride=2),  #  11 x 11 x 432
    Inception("4b", 128, 80, 160, 16, 32, L2Pool, 96),  #           11 x 11 x 416
    Inception("5a", 0, 128, 256, 24, 64, max_pool, 0, stride=2),  # 6 x 6 x 736
    Flatten("concat", 6, 6),  #                                     26,496
    FullyConnected("fc1", 928),  #                                  928
)

# Eight tables of 18 to 22 M multiply-adds were compared. Each was trained once by distillation, on 20,000 views. This
# table has the second highest mean cosine to the teacher. The best one is 0.003 higher, with 22 M multiply-adds. Tables
# with Inception modules on larger maps were 0.01 to 0.03 lower, and needed 25 % more time.
NNS2_ROWS = (
    ConvBnRelu("conv1", 8, 3, stride=2),  #                      70 x 58 x 8
    ConvBnRelu("conv2", 24, 3, stride=2),  #                     35 x 29 x 24
    ConvBnRelu("conv3", 64, 3, stride=2),  #                     18 x 15 x 64
    ConvBnRelu("conv4a", 80, 3, stride=2),  #                    9 x 8 x 80
    ConvBnRelu("conv4b", 80, 3),  #                              9 x 8 x 80
    Inception("5a", 0, 64, 160, 0, 0, max_pool, 0, stride=2),  # 5 x 4 x 240
    Flatten("concat", 5, 4),  #                                  4,800
    FullyConnected("fc1", 832),  #                               832
)

NN2 = Architecture("nn2", 224, 224, count_features(NN2_ROWS), partial(stack, NN2_ROWS))
NN3 = Architecture("nn3", 160, 160, count_features(NN2_ROWS), partial(stack, NN2_ROWS))
NN4 = Architecture("nn4", 96, 96, count_features(NN4_ROWS), partial(stack, NN4_ROWS))
NNS1 = Architecture("nns1", 165, 165, count_features(NNS1_ROWS), partial(stack, NNS1_ROWS))
NNS2 = Architecture("nns2", 140, 116, count_features(NNS2_ROWS), partial(stack, NNS2_ROWS), view=(3, -8, 109, 120))
