"""`compact`: a small network with residual blocks. It is not from the paper. Its sizes were chosen for this project.

It has residual blocks of dense 3 x 3 convolutions with ReLU (He et al., 2016). The map is halved four times. At the
end, a global depthwise convolution replaces average pooling. So each position of the face has its own weights
(MobileFaceNet, Chen et al., 2018).

The blocks of MobileFaceNet have fewer multiply-adds for each weight. But on a CPU, depthwise convolutions and PReLU are
slow. A dense network with the same number of multiply-adds was measured: it trains three times as fast.
"""

from collections import OrderedDict

from torch import Tensor, nn
from torch.nn import functional

from models.architectures.blocks import RGB_CHANNELS
from models.architectures.network import Architecture

STAGES = (
    # channels, residual blocks          output
    (24, 0),  #                          48 x 48 x 24
    (48, 1),  #                          24 x 24 x 48
    (96, 3),  #                          12 x 12 x 96
    (160, 1),  #                         6 x 6 x 160
)
LAST_SIDE = 6
FEATURES = 512


def conv_bn(in_channels: int, filters: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Return a convolution without bias, then batch normalisation. Stride 1 keeps the size of the map, 2 halves it."""
    weights = nn.Conv2d(in_channels, filters, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(weights, nn.BatchNorm2d(filters))


class Residual(nn.Module):
    """Two 3 x 3 convolutions, whose output is added to the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = conv_bn(channels, channels, 3)
        self.second = conv_bn(channels, channels, 3)

    def forward(self, maps: Tensor) -> Tensor:
        """(n, c, h, w) -> the same shape."""
        return functional.relu(maps + self.second(functional.relu(self.first(maps))))


def build_trunk() -> nn.Sequential:
    """Return the module from (n, 3, 96, 96) to (n, 512). The names of its rows are in the names of the weights."""
    rows: dict[str, nn.Module] = {}
    channels = RGB_CHANNELS
    for stage, (filters, blocks) in enumerate(STAGES, start=1):
        rows[f"down{stage}"] = conv_bn(channels, filters, 3, stride=2).append(nn.ReLU())
        for letter in "abc"[:blocks]:
            rows[f"block{stage}{letter}"] = Residual(filters)
        channels = filters
    rows["features"] = conv_bn(channels, FEATURES, 1).append(nn.ReLU())
    rows["places"] = _global_depthwise()
    return nn.Sequential(OrderedDict(rows))


def _global_depthwise() -> nn.Sequential:
    """Return the module from (n, 512, 6, 6) to (n, 512): a weighted sum over the positions of each channel."""
    weights = nn.Conv2d(FEATURES, FEATURES, LAST_SIDE, groups=FEATURES, bias=False)
    return nn.Sequential(weights, nn.BatchNorm2d(FEATURES), nn.Flatten())


COMPACT = Architecture("compact", height=96, width=96, features=FEATURES, build_trunk=build_trunk)
