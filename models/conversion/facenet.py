"""Inception-ResNet-v1 of davidsandberg/facenet: a frozen TensorFlow graph -> the contract of an embedder.

TensorFlow's layout is NHWC, ONNX Runtime's NCHW. The file's convolutions hold their batch normalisation already; the
one behind the last layer stays a node of its own.
"""

from collections.abc import Callable, Sequence
from graphlib import TopologicalSorter

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper

from models.conversion import graph, graphdef

DIMENSION = 512
SIDE_PX = 160

# Between these there is only reshaping to four axes and back, which batch normalisation in ONNX does not need.
_FLAT = "InceptionResnetV1/Logits/Flatten/flatten/Reshape"
_FEATURES = "InceptionResnetV1/Bottleneck/BatchNorm/Reshape_1"


def convert(data: bytes) -> ModelProto:
    """data: the GraphDef. It takes (x - 127.5) / 128; what it does behind the features is `graph.unit_out`."""
    source = graphdef.read(data)
    constants = {node.name: node.tensor() for node in source if node.op == "Const"}
    weights: graph.Weights = {"mean": np.array(127.5, np.float32), "scale": np.array(128, np.float32)}
    nodes = [
        *graph.pixels_in("crops", "pixels"),
        helper.make_node("Sub", ["pixels", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "scale"], ["input"]),
    ]
    for node in _in_order(source):
        nodes.append(_OPERATIONS[node.op](node))
        weights |= {name: _channels_first(node.op, constants[name]) for name in node.inputs if name in constants}
    tail, axis = graph.unit_out(_FEATURES, "embeddings")
    return graph.build(
        "facenet",
        [*nodes, *tail],
        weights | axis,
        [graph.pixels_value("crops", SIDE_PX, SIDE_PX)],
        [graph.float_value("embeddings", DIMENSION)],
    )


def _in_order(source: Sequence[graphdef.Node]) -> list[graphdef.Node]:
    """The operations between input and features, each behind those that it reads; in the file they lie anyhow."""
    by_name = {node.name: node for node in source}
    order = TopologicalSorter({node.name: node.inputs for node in source}).static_order()
    nodes = [by_name[name] for name in order if not name.startswith("embeddings")]
    return [node for node in nodes if node.op not in {"Const", "Placeholder"}]


def _channels_first(op: str, weight: NDArray[np.generic]) -> NDArray[np.generic]:
    """[h, w, in, out] -> [out, in, h, w] for convolutions, [c] -> [c, 1, 1] for biases."""
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


def _join(node: graphdef.Node) -> NodeProto:
    return helper.make_node("Concat", node.inputs[:-1], [node.name], axis=1)


def _normalisation(node: graphdef.Node) -> NodeProto:
    return helper.make_node("BatchNormalization", node.inputs, [node.name], epsilon=node.real("epsilon"))


def _reshape(node: graphdef.Node) -> NodeProto:
    return helper.make_node("Flatten" if node.name == _FLAT else "Identity", node.inputs[:1], [node.name])


def _same(op: str) -> Callable[[graphdef.Node], NodeProto]:
    return lambda node: helper.make_node(op, node.inputs, [node.name])


def _strides(node: graphdef.Node) -> list[int]:
    return node.integers("strides")[1:3]


def _padding(node: graphdef.Node) -> str:
    return {"SAME": "SAME_UPPER", "VALID": "VALID"}[node.text("padding")]


_OPERATIONS: dict[str, Callable[[graphdef.Node], NodeProto]] = {
    "Conv2D": _convolution,
    "BiasAdd": _same("Add"),
    "Relu": _same("Relu"),
    "MaxPool": _max_pool,
    "AvgPool": _mean_pool,
    "ConcatV2": _join,
    "Mul": _same("Mul"),
    "Add": _same("Add"),
    "MatMul": _same("MatMul"),
    "FusedBatchNorm": _normalisation,
    "Reshape": _reshape,
}
"""`AvgPool`'s window is the whole of what comes, 3 x 3."""
