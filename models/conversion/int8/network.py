"""The published SFace as a chain: 27 convolutions, each with batch normalisation and PReLU, and one last layer."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto

from models.conversion import graph

Floats = NDArray[np.float64]

PIXEL_MEAN, PIXEL_SCALE = 127.5, 1 / 128
"""The published graph computes (pixel - 127.5) / 128 first."""


@dataclass(frozen=True, slots=True, eq=False)
class Convolution:
    """A convolution and the PReLU after it. Batch normalisation is part of the weights.

    weights: (outputs, inputs / groups, height, width).
    bias, slopes: (outputs,). A PReLU multiplies negative numbers by the slope of their channel.
    """

    name: str
    weights: Floats
    bias: Floats
    slopes: Floats
    stride: int
    padding: int
    groups: int

    @property
    def is_depthwise(self) -> bool:
        return self.groups > 1

    def scaled(self, inputs: Floats, outputs: Floats) -> "Convolution":
        """Multiply each input channel and each output channel by a factor."""
        by_input = inputs[:, None, None, None] if self.is_depthwise else inputs[None, :, None, None]
        return replace(self, weights=self.weights * by_input * outputs[:, None, None, None], bias=self.bias * outputs)


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """SFace until its features, which are not of unit length yet.

    last_weights: (d, channels, places). The last layer reads all places of all channels.
    last_bias: (d,).
    """

    convolutions: tuple[Convolution, ...]
    last_weights: Floats
    last_bias: Floats


def read_network(data: bytes) -> Network:
    """Read the published file. Every slope of the network that is returned is at most 1."""
    source = onnx.load_from_string(data).graph
    nodes = [node for node in source.node if node.op_type not in {"Constant", "Dropout"}]
    nodes, weights = graph.fold_dequantisation(nodes, graph.initializers(source))
    layers = [node for node in nodes if node.op_type in {"Conv", "BatchNormalization", "PRelu", "Gemm"}]
    before, last, after = layers[-3:]
    convolutions = tuple(_turn_over(_read_convolutions(layers[:-3], weights)))
    return Network(convolutions, *_read_last_layer(before, last, after, weights))


def _read_convolutions(layers: Sequence[NodeProto], weights: graph.Weights) -> Iterator[Convolution]:
    for convolution, normalisation, prelu in zip(layers[::3], layers[1::3], layers[2::3], strict=True):
        factor, offset = _read_normalisation(normalisation, weights)
        fields = {entry.name: entry for entry in convolution.attribute}
        yield Convolution(
            name=convolution.output[0],
            weights=weights[convolution.input[1]].astype(np.float64) * factor[:, None, None, None],
            bias=offset,
            slopes=weights[prelu.input[1]].astype(np.float64).reshape(-1),
            stride=fields["strides"].ints[0],
            padding=fields["pads"].ints[0],
            groups=fields["group"].i,
        )


def _read_normalisation(node: NodeProto, weights: graph.Weights) -> tuple[Floats, Floats]:
    """Return the factor and the offset of each channel."""
    gamma, beta, mean, variance = (weights[name].astype(np.float64) for name in node.input[1:])
    epsilon = next(entry.f for entry in node.attribute if entry.name == "epsilon")
    factor = gamma / np.sqrt(variance + epsilon)
    return factor, beta - mean * factor


def _turn_over(convolutions: Iterator[Convolution]) -> Iterator[Convolution]:
    """Turn over the channels whose slope a is above 1: PReLU_a(y) = -PReLU_(1/a)(-a y).

    With slopes of at most 1, PReLU(y) = max(y, a y), also for negative slopes.
    """
    signs = np.ones(3)
    for convolution in convolutions:
        steep = convolution.slopes > 1
        factors = np.where(steep, -convolution.slopes, 1.0)
        slopes = np.where(steep, 1 / np.where(steep, convolution.slopes, 1.0), convolution.slopes)
        yield replace(convolution.scaled(signs, factors), slopes=slopes)
        signs = np.where(steep, -1.0, 1.0)


def _read_last_layer(
    before: NodeProto, last: NodeProto, after: NodeProto, weights: graph.Weights
) -> tuple[Floats, Floats]:
    (factor, offset), (last_factor, last_offset) = (_read_normalisation(node, weights) for node in (before, after))
    matrix = weights[last.input[1]].astype(np.float64)
    matrix = matrix.reshape(len(matrix), len(factor), -1)
    moved = (matrix * offset[None, :, None]).reshape(len(matrix), -1)
    # fsum is exact. The order of NumPy's sums depends on the CPU, and so does their last digit.
    bias = weights[last.input[2]].astype(np.float64) + np.array([math.fsum(row) for row in moved])
    return matrix * factor[None, :, None] * last_factor[:, None, None], bias * last_factor + last_offset
