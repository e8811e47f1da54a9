"""The graph of a network that computes in 8-bit integers, from the pixels to the last layer.

No node converts between integers and floating point before the last layer: pixels are integers already, and PReLU is
max(y, a y) on the grid of y. ONNX Runtime keeps the memory layout NHWC from the input to the end, in which its 8-bit
convolutions work.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper

from models.conversion import graph
from models.conversion.int8.grids import Grid, Grids
from models.conversion.int8.network import PIXEL_MEAN, PIXEL_SCALE, Convolution, Network
from models.conversion.int8.weights import round_weights

Nodes = tuple[list[NodeProto], graph.Weights]
"""Nodes, and the weights that they read."""

PIXEL_ZERO = 128
"""The integer that stands for 0 in the input. The mean of the pixels, 127.5, is no integer; the bias has the rest."""

SHARED: graph.Weights = {
    "one": np.array(1, np.float32),
    "pixel_scale": np.array(PIXEL_SCALE, np.float32),
    "pixel_zero": np.array(PIXEL_ZERO, np.uint8),
}


@dataclass(frozen=True, slots=True, eq=False)
class Activation:
    """An 8-bit activation of the graph, (n, c, h, w) uint8.

    tensor, scale, zero: the names of the tensor, of its shared scale and of its zero point.
    zero_point: in 0..255.
    channels: (c,) the scale of each channel, which the weights of the next layer contain.
    """

    tensor: str
    scale: str
    zero: str
    zero_point: int
    channels: NDArray[np.float64]


PIXELS = Activation("crops_nchw", "pixel_scale", "pixel_zero", PIXEL_ZERO, np.ones(3))


def build_int8(network: Network, grids: Grids, side_px: int) -> ModelProto:
    """Return the model. side_px: the side of its crops, in pixels."""
    nodes = [helper.make_node("Transpose", ["crops"], [PIXELS.tensor], perm=[0, 3, 1, 2])]
    weights, activation = dict(SHARED), PIXELS
    for convolution in network.convolutions:
        (more, read), activation = build_layer(convolution, activation, grids[convolution.name])
        nodes, weights = nodes + more, weights | read
    more, read = _last_layer(network, activation)
    dimension = len(network.last_bias)
    tail, axis = graph.scale_to_unit_length("features", "embeddings")
    return graph.build(
        "sface_int8",
        [*nodes, *more, *tail],
        weights | read | axis,
        [graph.uint8_input("crops", side_px, side_px)],
        [graph.float_output("embeddings", dimension)],
    )


def build_layer(convolution: Convolution, activation: Activation, grid: Grid) -> tuple[Nodes, Activation]:
    """Return the nodes of a convolution and its PReLU, and the activation that they compute."""
    name = convolution.name
    sums, slopes = f"{name}_sums", f"{name}_times_slope"
    result = Activation(f"{name}_prelu", "one", f"{name}_zero", grid.zero_point, grid.scale)
    weights: graph.Weights = {result.zero: np.array(grid.zero_point, np.uint8)}
    first = _convolve(name, convolution, activation, grid, weights)
    second = _multiply_by_slopes(f"{name}_slope", convolution.slopes, weights)
    nodes = [
        helper.make_node(
            "QLinearConv",
            [activation.tensor, activation.scale, activation.zero, *first, "one", result.zero, f"{name}_bias"],
            [sums],
            group=convolution.groups,
            strides=[convolution.stride] * 2,
            pads=[convolution.padding] * 4,
        ),
        helper.make_node(
            "QLinearConv",
            [sums, "one", result.zero, *second, "one", result.zero],
            [slopes],
            group=len(convolution.slopes),
        ),
        helper.make_node("Max", [sums, slopes], [result.tensor]),
    ]
    return (nodes, weights), result


def _convolve(
    name: str, convolution: Convolution, activation: Activation, grid: Grid, weights: graph.Weights
) -> Sequence[str]:
    """Add the weights of the convolution. Returns the names of the weights, of their scales and of their zeros."""
    scaled = convolution.scaled(activation.channels, 1 / grid.scale)
    outputs = len(scaled.bias)
    # ONNX Runtime adds in the order height, width, input.
    order = np.ascontiguousarray(scaled.weights.transpose(0, 2, 3, 1))
    rounded, scales = round_weights(order.reshape(outputs, -1), in_pairs=not convolution.is_depthwise)
    bias, step = scaled.bias + grid.shift, scales
    if activation is PIXELS:
        sums = np.array([math.fsum(row) for row in scaled.weights.reshape(outputs, -1)])
        bias, step = bias + (PIXEL_ZERO - PIXEL_MEAN) * PIXEL_SCALE * sums, scales * PIXEL_SCALE
    weights[f"{name}_weights"] = np.ascontiguousarray(rounded.reshape(order.shape).transpose(0, 3, 1, 2))
    weights[f"{name}_bias"] = np.rint(bias / step).astype(np.int32)
    return _scales_and_zeros(name, scales, weights)


def _multiply_by_slopes(name: str, slopes: NDArray[np.float64], weights: graph.Weights) -> Sequence[str]:
    """Add the slopes as weights of a depthwise convolution: their signs in the weights, their sizes in the scales."""
    weights[f"{name}_weights"] = (127 * np.sign(slopes)).astype(np.int8).reshape(-1, 1, 1, 1)
    return _scales_and_zeros(name, np.where(slopes == 0, 1.0, np.abs(slopes) / 127), weights)


def _scales_and_zeros(name: str, scales: NDArray[np.float64], weights: graph.Weights) -> Sequence[str]:
    weights[f"{name}_scales"] = scales.astype(np.float32)
    weights[f"{name}_zeros"] = np.zeros(len(scales), np.int8)
    return f"{name}_weights", f"{name}_scales", f"{name}_zeros"


def _last_layer(network: Network, activation: Activation) -> Nodes:
    """Return the nodes that multiply integers and then go over to floating point: the features, float32 (n, d)."""
    matrix = (network.last_weights * activation.channels[None, :, None]).reshape(len(network.last_bias), -1)
    rounded, scales = round_weights(matrix, in_pairs=True)
    nodes = [
        helper.make_node("Flatten", [activation.tensor], ["places"]),
        helper.make_node("MatMulInteger", ["places", "last_weights", activation.zero], ["last_sums"]),
        helper.make_node("Cast", ["last_sums"], ["last_floats"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["last_floats", "last_scales"], ["last_scaled"]),
        helper.make_node("Add", ["last_scaled", "last_bias"], ["features"]),
    ]
    return nodes, {
        "last_weights": np.ascontiguousarray(rounded.T),
        "last_scales": scales.astype(np.float32),
        "last_bias": network.last_bias.astype(np.float32),
    }
