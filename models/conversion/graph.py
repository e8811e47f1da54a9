"""What every conversion does to a graph: take nodes and weights apart, put them together under the contract."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

Weights: TypeAlias = dict[str, NDArray[np.generic]]

OPSET = 21
IR_VERSION = 10


def weights_of(graph: onnx.GraphProto) -> Weights:
    """The initializers by name."""
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


def attribute(node: NodeProto, name: str) -> int:
    """An integer attribute that the node must have."""
    return next(one.i for one in node.attribute if one.name == name)


def fold_dequantisation(nodes: Sequence[NodeProto], weights: Weights) -> tuple[list[NodeProto], Weights]:
    """Computes each DequantizeLinear and Reshape of weights once, here, instead of at every start of a session."""
    kept, folded = [], dict(weights)
    for node in nodes:
        if not all(name in folded for name in node.input):
            kept.append(node)
            continue
        inputs = [folded[name] for name in node.input]
        if node.op_type == "DequantizeLinear":
            folded[node.output[0]] = _dequantised(inputs, attribute(node, "axis"), attribute(node, "block_size"))
        elif node.op_type == "Reshape":
            folded[node.output[0]] = inputs[0].reshape(inputs[1])
        else:
            raise ValueError(f"{node.op_type} of weights alone is not expected here")
    return kept, folded


def _dequantised(inputs: Sequence[NDArray[np.generic]], axis: int, block: int) -> NDArray[np.float32]:
    """`(q - zero) * scale`, where a scale and a zero hold for `block` neighbours along the axis (opset 21)."""
    quantised, scales, zeros = inputs
    size = quantised.shape[axis]
    scale = np.repeat(scales, block, axis).take(range(size), axis)
    zero = np.repeat(zeros, block, axis).take(range(size), axis)
    return (quantised.astype(np.float32) - zero.astype(np.float32)) * scale.astype(np.float32)


def lower_prelu(nodes: Sequence[NodeProto], weights: Weights) -> tuple[list[NodeProto], Weights]:
    """`PRelu(x)` of feature maps as `Relu(x) + Conv1x1(-a, Relu(Conv1x1(-1, x)))`, the convolutions depthwise.

    The same numbers to 2e-7, and ONNX Runtime's CPU provider stays in its blocked layout: a face of SFace takes a
    third of the time. PRelu of dense features, whose slopes are (c,), has no layout to lose and stays.
    """
    lowered, extended = [], dict(weights)
    for node in nodes:
        slope = extended.get(node.input[1]) if node.op_type == "PRelu" else None
        if slope is None or slope.ndim < 3:
            lowered.append(node)
            continue
        x, y, channels = node.input[0], node.output[0], slope.size
        extended[f"{y}_minus_one"] = np.full((channels, 1, 1, 1), -1, np.float32)
        extended[f"{y}_minus_slope"] = -slope.astype(np.float32).reshape(channels, 1, 1, 1)
        lowered += [
            helper.make_node("Relu", [x], [f"{y}_positive"]),
            helper.make_node("Conv", [x, f"{y}_minus_one"], [f"{y}_negated"], group=channels, kernel_shape=[1, 1]),
            helper.make_node("Relu", [f"{y}_negated"], [f"{y}_negative"]),
            helper.make_node(
                "Conv", [f"{y}_negative", f"{y}_minus_slope"], [f"{y}_scaled"], group=channels, kernel_shape=[1, 1]
            ),
            helper.make_node("Add", [f"{y}_positive", f"{y}_scaled"], [y]),
        ]
    return lowered, extended


def pixels_in(name: str, to: str) -> list[NodeProto]:
    """uint8 [n, h, w, 3] -> float32 [n, 3, h, w], still 0..255."""
    return [
        helper.make_node("Transpose", [name], [f"{name}_nchw"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", [f"{name}_nchw"], [to], to=TensorProto.FLOAT),
    ]


def unit_out(features: str, to: str) -> tuple[list[NodeProto], Weights]:
    """float32 [n, d] -> the same directions at length 1."""
    nodes = [
        helper.make_node("ReduceL2", [features, "feature_axis"], ["feature_norms"], keepdims=1),
        helper.make_node("Div", [features, "feature_norms"], [to]),
    ]
    return nodes, {"feature_axis": np.array([1], np.int64)}


def pixels_value(name: str, height: int | str, width: int | str) -> ValueInfoProto:
    """The one kind of input."""
    return helper.make_tensor_value_info(name, TensorProto.UINT8, ["n", height, width, 3])


def float_value(name: str, *shape: int | str) -> ValueInfoProto:
    """The one kind of output."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape])


def build(
    name: str,
    nodes: Sequence[NodeProto],
    weights: Weights,
    inputs: Sequence[ValueInfoProto],
    outputs: Sequence[ValueInfoProto],
) -> ModelProto:
    """A checked model whose bytes depend on its content alone. Weights that no node uses are left out."""
    used = sorted({one for node in nodes for one in node.input} & weights.keys())
    tensors = [numpy_helper.from_array(np.ascontiguousarray(weights[one]), one) for one in used]
    for number, node in enumerate(nodes):
        node.name = f"{node.op_type}_{number}"
    graph = helper.make_graph(list(nodes), name, list(inputs), list(outputs), tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    model.producer_name = "facenet-models"
    onnx.checker.check_model(model, full_check=True)
    return model
