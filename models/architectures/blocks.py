"""What the rows of the paper's tables are made of: convolutions, the three poolings, the response norm, max-out.

A table is a tuple of rows in the paper's order, and `stack` builds the network from it, so that no size is written
twice: what comes in is what the row before gives. Feature maps are (n, channels, h, w) float.
"""

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

COLOURS = 3


class Row(Protocol):
    """A line of a table: what it makes of `channels` channels, and how many it gives."""

    @property
    def name(self) -> str:
        """Unique in its table; the module's name in the network."""

    def gives(self, channels: int) -> int:
        """How many channels come out where `channels` go in."""

    def build(self, channels: int) -> nn.Module:
        """The module."""


def stack(rows: Sequence[Row]) -> nn.Module:
    """The network of a table: (n, 3, h, w) float -> what its last row gives."""
    modules: OrderedDict[str, nn.Module] = OrderedDict()
    channels = COLOURS
    for row in rows:
        modules[row.name] = row.build(channels)
        channels = row.gives(channels)
    return nn.Sequential(modules)


def features(rows: Sequence[Row]) -> int:
    """How many numbers the network of a table gives for a face."""
    channels = COLOURS
    for row in rows:
        channels = row.gives(channels)
    return channels


@dataclass(frozen=True, slots=True)
class Normalised:
    """A convolution with batch normalisation, whose shift stands for the bias, and ReLU.

    The paper has biases alone. Batch normalisation (Ioffe and Szegedy, 2015) is what lets a network of this depth train
    in hours.
    """

    name: str
    channels: int
    kernel: int
    stride: int = 1

    def gives(self, channels: int) -> int:  # noqa: ARG002  # a row's interface
        """Its own number of channels."""
        return self.channels

    def build(self, channels: int) -> nn.Module:
        """(n, channels, h, w) -> (n, self.channels, h / stride, w / stride), rounded up."""
        return convolution(channels, self.channels, self.kernel, self.stride)


@dataclass(frozen=True, slots=True)
class Pool:
    """The maximum over 3 x 3, in steps of 2."""

    name: str

    def gives(self, channels: int) -> int:
        """As many as come in."""
        return channels

    def build(self, channels: int) -> nn.Module:  # noqa: ARG002  # a row's interface
        """(n, c, h, w) -> (n, c, h / 2, w / 2), rounded up."""
        return max_pool(stride=2)


@dataclass(frozen=True, slots=True)
class Average:
    """The mean over the whole map."""

    name: str

    def gives(self, channels: int) -> int:
        """As many as come in."""
        return channels

    def build(self, channels: int) -> nn.Module:  # noqa: ARG002  # a row's interface
        """(n, c, h, w) -> (n, c)."""
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())


@dataclass(frozen=True, slots=True)
class Flat:
    """The whole map as one vector. height, width: of the map."""

    name: str
    height: int
    width: int

    def gives(self, channels: int) -> int:
        """Every number of the map."""
        return channels * self.height * self.width

    def build(self, channels: int) -> nn.Module:  # noqa: ARG002  # a row's interface
        """(n, c, height, width) -> (n, c * height * width)."""
        return nn.Flatten()


@dataclass(frozen=True, slots=True)
class Full:
    """A fully connected layer with batch normalisation, whose shift stands for the bias, and ReLU."""

    name: str
    out: int

    def gives(self, channels: int) -> int:  # noqa: ARG002  # a row's interface
        """Its own number of features."""
        return self.out

    def build(self, channels: int) -> nn.Module:
        """(n, channels) -> (n, self.out)."""
        return nn.Sequential(nn.Linear(channels, self.out, bias=False), nn.BatchNorm1d(self.out), nn.ReLU(inplace=True))


def convolution(channels: int, out: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """A convolution without bias, batch normalisation and ReLU; the map keeps its size but for the stride."""
    weights = nn.Conv2d(channels, out, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(weights, nn.BatchNorm2d(out), nn.ReLU(inplace=True))


def max_pool(stride: int) -> nn.MaxPool2d:
    """The maximum over 3 x 3; with a stride of 1 the map keeps its size, with 2 it halves, rounded up."""
    return nn.MaxPool2d(3, stride, padding=1)


class L2Pool(nn.Module):
    """The L2 norm over 3 x 3, "L2" in Table 2; outside of the map is zero. The map's size is as after `max_pool`.

    torch's LPPool2d knows no padding. Numbers are made smaller before they are squared, so that in float16 maps up to
    1,000 do not overflow; EPSILON keeps the root's gradient finite where all nine are zero, and is 0.012 there.
    """

    SCALE = 0.25
    EPSILON = 1e-6

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, maps: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, c, h / stride, w / stride), float, rounded up."""
        small = maps * self.SCALE
        mean = functional.avg_pool2d(small * small, 3, self.stride, padding=1)
        return torch.sqrt(mean + self.EPSILON) * (3 / self.SCALE)


class LocalResponseNorm(nn.Module):
    """torch's LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1), in operations that ONNX Runtime does fast.

    The sum over neighbouring channels is a 1 x 1 convolution with a band of ones. Maps are scaled before they are
    squared, which keeps both the squares of large numbers and alpha / 5 within float16. Sizes are Krizhevsky's (2012);
    the paper gives none.
    """

    SIZE = 5
    ALPHA = 1e-4

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = math.sqrt(self.ALPHA / self.SIZE)
        index = torch.arange(channels)
        band = (index[:, None] - index[None, :]).abs() <= self.SIZE // 2
        self.register_buffer("band", band.float()[:, :, None, None], persistent=False)
        self.band: Tensor

    def forward(self, maps: Tensor) -> Tensor:
        """(n, channels, h, w) -> (n, channels, h, w), float."""
        small = maps * self.scale
        root = torch.sqrt(1 + functional.conv2d(small * small, self.band))
        return maps / (root * torch.sqrt(root))


class Maxout(nn.Module):
    """The larger of two linear functions for each number that it gives: max-out with p = 2 (Goodfellow, 2013)."""

    def __init__(self, features: int, out: int) -> None:
        super().__init__()
        self.pieces = nn.Linear(features, 2 * out)

    def forward(self, vectors: Tensor) -> Tensor:
        """(n, features) -> (n, out), float."""
        first, second = self.pieces(vectors).chunk(2, dim=1)
        return torch.maximum(first, second)
