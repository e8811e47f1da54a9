"""`compact`: the small network of today, beside the paper's six. All of its numbers are ours.

Residual blocks of dense 3 x 3 convolutions with ReLU (He et al., 2016), halved in size five times, and a global
depthwise convolution in place of average pooling, so that each place of the face has weights of its own (MobileFaceNet,
Chen et al., 2018). MobileFaceNet's blocks have fewer multiply-adds a weight, but depthwise convolutions and PReLU run
at a third of the speed on a CPU: measured, a dense network of the same multiply-adds trains three times as fast.
"""

from collections import OrderedDict

from torch import Tensor, nn
from torch.nn import functional

from models.architectures.network import Architecture

STAGES = (
    # channels, residual blocks          out
    (24, 0),  #                          48 x 48 x 24
    (48, 1),  #                          24 x 24 x 48
    (96, 3),  #                          12 x 12 x 96
    (160, 1),  #                         6 x 6 x 160
)
FEATURES = 512


def convolution(channels: int, out: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """A convolution that keeps the size, or halves it at stride 2; batch normalisation stands in for its bias."""
    kept = nn.Conv2d(channels, out, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(kept, nn.BatchNorm2d(out))


class Residual(nn.Module):
    """Two 3 x 3 convolutions beside the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = convolution(channels, channels, 3)
        self.second = convolution(channels, channels, 3)

    def forward(self, maps: Tensor) -> Tensor:
        """maps: (n, c, h, w). Returns the same shape."""
        return functional.relu(maps + self.second(functional.relu(self.first(maps))))


def trunk() -> nn.Sequential:
    """(n, 3, 96, 96) -> (n, 512)."""
    rows: dict[str, nn.Module] = {}
    channels = 3
    for stage, (out, blocks) in enumerate(STAGES, start=1):
        rows[f"down{stage}"] = convolution(channels, out, 3, stride=2).append(nn.ReLU())
        for letter in "abc"[:blocks]:
            rows[f"block{stage}{letter}"] = Residual(out)
        channels = out
    rows["features"] = convolution(channels, FEATURES, 1).append(nn.ReLU())
    rows["places"] = _places(side=6)
    return nn.Sequential(OrderedDict(rows))


def _places(side: int) -> nn.Sequential:
    """Each feature's maps summed up, every place with a weight of its own."""
    whole = nn.Conv2d(FEATURES, FEATURES, side, groups=FEATURES, bias=False)
    return nn.Sequential(whole, nn.BatchNorm2d(FEATURES), nn.Flatten())


COMPACT = Architecture("compact", height=96, width=96, features=FEATURES, trunk=trunk)
