"""The rows that the tables of the networks consist of: convolutions, pooling, local response norm, max-out.

A table is a tuple of rows in the order of the paper. `stack` builds the network from it. A row takes the number of its
input channels from the row before it, so no size is written twice. Feature maps are (n, channels, h, w) float.
"""

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

RGB_CHANNELS = 3


class Row(Protocol):
    """A row of a table: a layer of the network, or a few."""

    @property
    def name(self) -> str:
        """The name of the row, unique in its table. It is also the first part of the names of the row's weights."""

    def out_channels(self, in_channels: int) -> int:
        """Return the number of output channels."""

    def build(self, in_channels: int) -> nn.Module:
        """Return the module."""


def stack(rows: Sequence[Row]) -> nn.Module:
    """Return the network of a table. It takes (n, 3, h, w) float."""
    modules: OrderedDict[str, nn.Module] = OrderedDict()
    channels = RGB_CHANNELS
    for row in rows:
        modules[row.name] = row.build(channels)
        channels = row.out_channels(channels)
    return nn.Sequential(modules)


def count_features(rows: Sequence[Row]) -> int:
    """Return the number of output channels of a table's last row."""
    channels = RGB_CHANNELS
    for row in rows:
        channels = row.out_channels(channels)
    return channels


@dataclass(frozen=True, slots=True)
class ConvBnRelu:
    """A convolution with batch normalisation and ReLU. It has no bias, because the normalisation has a shift.

    The paper has biases and no batch normalisation. With batch normalisation (Ioffe and Szegedy, 2015) a network of
    this depth trains in hours.
    """

    name: str
    filters: int
    kernel: int
    stride: int = 1

    def out_channels(self, in_channels: int) -> int:  # noqa: ARG002  # the interface of a row
        """Return the number of filters."""
        return self.filters

    def build(self, in_channels: int) -> nn.Module:
        """Return the module: (n, in_channels, h, w) -> (n, filters, h / stride, w / stride), rounded up."""
        return conv_bn_relu(in_channels, self.filters, self.kernel, self.stride)


@dataclass(frozen=True, slots=True)
class MaxPool:
    """The maximum over 3 x 3, with stride 2."""

    name: str

    def out_channels(self, in_channels: int) -> int:
        """Return the number of input channels."""
        return in_channels

    def build(self, in_channels: int) -> nn.Module:  # noqa: ARG002  # the interface of a row
        """Return the module: (n, c, h, w) -> (n, c, h / 2, w / 2), rounded up."""
        return max_pool(stride=2)


@dataclass(frozen=True, slots=True)
class AveragePool:
    """The mean over the whole map."""

    name: str

    def out_channels(self, in_channels: int) -> int:
        """Return the number of input channels."""
        return in_channels

    def build(self, in_channels: int) -> nn.Module:  # noqa: ARG002  # the interface of a row
        """Return the module: (n, c, h, w) -> (n, c)."""
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())


@dataclass(frozen=True, slots=True)
class Flatten:
    """The whole map as one vector. height, width: of the map."""

    name: str
    height: int
    width: int

    def out_channels(self, in_channels: int) -> int:
        """Return the length of the vector."""
        return in_channels * self.height * self.width

    def build(self, in_channels: int) -> nn.Module:  # noqa: ARG002  # the interface of a row
        """Return the module: (n, c, height, width) -> (n, c * height * width)."""
        return nn.Flatten()


@dataclass(frozen=True, slots=True)
class FullyConnected:
    """A fully connected layer, batch normalisation and ReLU. It has no bias, because the normalisation has a shift."""

    name: str
    features: int

    def out_channels(self, in_channels: int) -> int:  # noqa: ARG002  # the interface of a row
        """Return the number of features."""
        return self.features

    def build(self, in_channels: int) -> nn.Module:
        """Return the module: (n, in_channels) -> (n, features)."""
        weights = nn.Linear(in_channels, self.features, bias=False)
        return nn.Sequential(weights, nn.BatchNorm1d(self.features), nn.ReLU(inplace=True))


def conv_bn_relu(in_channels: int, filters: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Return a convolution without bias, then batch normalisation and ReLU. With stride 1 the map keeps its size."""
    weights = nn.Conv2d(in_channels, filters, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(weights, nn.BatchNorm2d(filters), nn.ReLU(inplace=True))


def max_pool(stride: int) -> nn.MaxPool2d:
    """Return the maximum over 3 x 3. With stride 1 the map keeps its size. Stride 2 halves it, rounded up."""
    return nn.MaxPool2d(3, stride, padding=1)


class L2Pool(nn.Module):
    """The L2 norm over 3 x 3: "L2" in Table 2. Values outside of the map are 0. The output has the size of `max_pool`.

    torch's LPPool2d has no padding, so it cannot replace this class.

    SCALE: maps are multiplied by it before they are squared. The largest float16 is 65,504. Without the scale, the
    square of a value of 256 or more would be infinite in float16. With it, values up to 1,000 do not overflow.
    EPSILON: is added under the root. The gradient of the root of 0 is infinite. Without EPSILON, nine zeros would give
    a gradient that is not a number. With it, the pool of nine zeros is 0.012.
    """

    SCALE = 0.25
    EPSILON = 1e-6

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, maps: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, c, h / stride, w / stride), float, rounded up."""
        scaled = maps * self.SCALE
        mean_of_squares = functional.avg_pool2d(scaled * scaled, 3, self.stride, padding=1)
        # The sum of the nine squares is 9 times their mean, so its root is 3 times the root of the mean.
        return torch.sqrt(mean_of_squares + self.EPSILON) * (3 / self.SCALE)


class LocalResponseNorm(nn.Module):
    """torch's LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1), in operations that ONNX Runtime computes fast.

    Each value x is divided by (1 + alpha / 5 * s) ** 0.75. Here s is the sum of the squares of the five nearest
    channels. SIZE and ALPHA are from Krizhevsky, 2012, because the FaceNet paper gives no values.
    """

    SIZE = 5
    ALPHA = 1e-4

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = math.sqrt(self.ALPHA / self.SIZE)
        # The sum over neighbouring channels is a 1 x 1 convolution. Its weights are a band matrix of ones.
        index = torch.arange(channels)
        band = (index[:, None] - index[None, :]).abs() <= self.SIZE // 2
        # Not persistent: the band is a constant, so it is not a weight of a checkpoint.
        self.register_buffer("band", band.float()[:, :, None, None], persistent=False)
        self.band: Tensor

    def forward(self, maps: Tensor) -> Tensor:
        """(n, channels, h, w) -> (n, channels, h, w), float."""
        # The maps are multiplied by the root of alpha / 5 before they are squared. To multiply the squares by alpha / 5
        # would be less exact: in float16, 2e-5 has only a few bits, and the square of 256 or more is infinite.
        scaled = maps * self.scale
        root = torch.sqrt(1 + functional.conv2d(scaled * scaled, self.band))
        return maps / (root * torch.sqrt(root))  # x ** 0.75 = x ** 0.5 * x ** 0.25


class Maxout(nn.Module):
    """Max-out with p = 2 (Goodfellow, 2013): each output is the larger of two linear functions of the input."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.pieces = nn.Linear(in_features, 2 * out_features)

    def forward(self, vectors: Tensor) -> Tensor:
        """(n, in_features) -> (n, out_features), float."""
        first, second = self.pieces(vectors).chunk(2, dim=1)
        return torch.maximum(first, second)
