"""NN1 of FaceNet, section 3.3: the network of Zeiler and Fergus with 1 x 1 convolutions between, Table 1.

As the paper has it: biases, local response normalisation ("rnorm"), max-out with p = 2 in the fully connected layers.
No batch normalisation: fourteen layers of He's initialisation learn without it (tried on 24 faces: 30 steps of AdaGrad
take the mean cosine to their targets from 0.02 to 0.7).
"""

from dataclasses import dataclass
from functools import partial

from torch import nn

from models.architectures.blocks import Flat, LocalResponseNorm, Maxout, Pool, features, stack
from models.architectures.network import Architecture


@dataclass(frozen=True, slots=True)
class Convolution:
    """A convolution with biases, and ReLU."""

    name: str
    channels: int
    kernel: int
    stride: int = 1

    def gives(self, channels: int) -> int:  # noqa: ARG002  # a row's interface
        """Its own number of channels."""
        return self.channels

    def build(self, channels: int) -> nn.Module:
        """(n, channels, h, w) -> (n, self.channels, h / stride, w / stride), rounded up."""
        weights = nn.Conv2d(channels, self.channels, self.kernel, self.stride, padding=self.kernel // 2)
        return nn.Sequential(weights, nn.ReLU(inplace=True))


@dataclass(frozen=True, slots=True)
class ResponseNorm:
    """Local response normalisation over channels."""

    name: str

    def gives(self, channels: int) -> int:
        """As many as come in."""
        return channels

    def build(self, channels: int) -> nn.Module:
        """(n, channels, h, w) -> the same shape."""
        return LocalResponseNorm(channels)


@dataclass(frozen=True, slots=True)
class FullMaxout:
    """A fully connected layer with max-out, p = 2."""

    name: str
    out: int

    def gives(self, channels: int) -> int:  # noqa: ARG002  # a row's interface
        """Its own number of features."""
        return self.out

    def build(self, channels: int) -> nn.Module:
        """(n, channels) -> (n, self.out)."""
        return Maxout(channels, self.out)


# Table 1. Beside each row what it gives. The table's fc7128 is the network's `embedding`.
NN1_ROWS = (
    Convolution("conv1", 64, 7, stride=2),  # 110 x 110 x 64
    Pool("pool1"),  #                         55 x 55 x 64
    ResponseNorm("rnorm1"),  #                55 x 55 x 64
    Convolution("conv2a", 64, 1),  #          55 x 55 x 64
    Convolution("conv2", 192, 3),  #          55 x 55 x 192
    ResponseNorm("rnorm2"),  #                55 x 55 x 192
    Pool("pool2"),  #                         28 x 28 x 192
    Convolution("conv3a", 192, 1),  #         28 x 28 x 192
    Convolution("conv3", 384, 3),  #          28 x 28 x 384
    Pool("pool3"),  #                         14 x 14 x 384
    Convolution("conv4a", 384, 1),  #         14 x 14 x 384
    Convolution("conv4", 256, 3),  #          14 x 14 x 256
    Convolution("conv5a", 256, 1),  #         14 x 14 x 256
    Convolution("conv5", 256, 3),  #          14 x 14 x 256
    Convolution("conv6a", 256, 1),  #         14 x 14 x 256
    Convolution("conv6", 256, 3),  #          14 x 14 x 256
    Pool("pool4"),  #                         7 x 7 x 256
    Flat("concat", 7, 7),  #                  7 x 7 x 256, 12,544 in a row
    FullMaxout("fc1", 4096),  #               1 x 32 x 128
    FullMaxout("fc2", 4096),  #               1 x 32 x 128
)

NN1 = Architecture("nn1", 220, 220, features(NN1_ROWS), partial(stack, NN1_ROWS))
