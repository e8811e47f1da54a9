"""Convert Inception-ResNet-v1 of davidsandberg/facenet, a frozen TensorFlow graph, to an embedder.

The memory layout is NHWC in TensorFlow, and NCHW in ONNX Runtime. In the published file, batch normalisation is already
part of the weights of the convolutions. Only the batch normalisation after the last layer is a separate node.
"""

from collections.abc import Callable, Sequence
from graphlib import TopologicalSorter

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper

from models.conversion import graph, graphdef

DIMENSION = 512
SIDE_PX = 160

# `_FLATTEN_NODE` reshapes feature maps to rows. All other reshapes are for TensorFlow's batch normalisation: they go to
# four axes and back. ONNX does not need them.
_FLATTEN_NODE = "InceptionResnetV1/Logits/Flatten/flatten/Reshape"
_FEATURES_NODE = "InceptionResnetV1/Bottleneck/BatchNorm/Reshape_1"


def convert(data: bytes) -> ModelProto:
    """Convert the published file.

    data: the bytes of the GraphDef. Its input is (x - 127.5) / 128, with x from 0 to 255. Its nodes after the features
    scale them to unit length. `graph.scale_to_unit_length` replaces these nodes.
    """
    source = graphdef.read_nodes(data)
    constants = {node.name: node.tensor() for node in source if node.op == "Const"}
    weights: graph.Weights = {"mean": np.array(127.5, np.float32), "scale": np.array(128, np.float32)}
    nodes = [
        *graph.pixels_to_float("crops", "pixels"),
        helper.make_node("Sub", ["pixels", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "scale"], ["input"]),
    ]
    for node in _operations_in_order(source):
        nodes.append(_TO_ONNX[node.op](node))
        weights |= {name: _channels_first(node.op, constants[name]) for name in node.inputs if name in constants}
    tail, axis = graph.scale_to_unit_length(_FEATURES_NODE, "embeddings")
    return graph.build(
        "facenet",
        [*nodes, *tail],
        weights | axis,
        [graph.uint8_input("crops", SIDE_PX, SIDE_PX)],
        [graph.float_output("embeddings", DIMENSION)],
    )


def _operations_in_order(source: Sequence[graphdef.Node]) -> list[graphdef.Node]:
    """Return the operations between the input and the features, each after the operations that it reads.

    The order in the file is arbitrary.
    """
    by_name = {node.name: node for node in source}
    order = TopologicalSorter({node.name: node.inputs for node in source}).static_order()
    nodes = [by_name[name] for name in order if not name.startswith("embeddings")]
    return [node for node in nodes if node.op not in {"Const", "Placeholder"}]


def _channels_first(op: str, weight: NDArray[np.generic]) -> NDArray[np.generic]:
    """Transpose [h, w, in, out] to [out, in, h, w] for convolutions, and reshape [c] to [c, 1, 1] for biases."""
    if op == "Conv2D":
        return weight.transpose(3, 2, 0, 1)
    return weight.reshape(-1, 1, 1) if op == "BiasAdd" else weight


def _convolution(node: graphdef.Node) -> NodeProto:
    return helper.make_node("Conv", node.inputs, [node.name], strides=_strides(node), auto_pad=_padding(node))


def _max_pool(node: graphdef.Node) -> NodeProto:
    window = node.integers("ksize")[1:3]
    return helper.make_node(
        "MaxPool", node.inputs, [node.name], kernel_shape=window, strides=_strides(node), auto_pad=_padding(node)
    )


def _mean_pool(node: graphdef.Node) -> NodeProto:
    return helper.make_node("GlobalAveragePool", node.inputs, [node.name])


def _concatenation(node: graphdef.Node) -> NodeProto:
    return helper.make_node("Concat", node.inputs[:-1], [node.name], axis=1)


def _batch_normalisation(node: graphdef.Node) -> NodeProto:
    return helper.make_node("BatchNormalization", node.inputs, [node.name], epsilon=node.number("epsilon"))


def _reshape(node: graphdef.Node) -> NodeProto:
    return helper.make_node("Flatten" if node.name == _FLATTEN_NODE else "Identity", node.inputs[:1], [node.name])


def _operation(op: str) -> Callable[[graphdef.Node], NodeProto]:
    return lambda node: helper.make_node(op, node.inputs, [node.name])


def _strides(node: graphdef.Node) -> list[int]:
    return node.integers("strides")[1:3]


def _padding(node: graphdef.Node) -> str:
    return {"SAME": "SAME_UPPER", "VALID": "VALID"}[node.text("padding")]


# The window of `AvgPool` is its whole input, 3 x 3. So it becomes GlobalAveragePool.
_TO_ONNX: dict[str, Callable[[graphdef.Node], NodeProto]] = {
    "Conv2D": _convolution,
    "BiasAdd": _operation("Add"),
    "Relu": _operation("Relu"),
    "MaxPool": _max_pool,
    "AvgPool": _mean_pool,
    "ConcatV2": _concatenation,
    "Mul": _operation("Mul"),
    "Add": _operation("Add"),
    "MatMul": _operation("MatMul"),
    "FusedBatchNorm": _batch_normalisation,
    "Reshape": _reshape,
}
