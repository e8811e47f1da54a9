"""What all converters do to a graph: read its weights, simplify it, and give it the fixed inputs and outputs."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

Weights: TypeAlias = dict[str, NDArray[np.generic]]
"""Constant tensors of a graph, by name."""

OPSET = 21
IR_VERSION = 10


def initializers(graph: onnx.GraphProto) -> Weights:
    """Return the initializers of a graph by name."""
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


def attribute(node: NodeProto, name: str) -> int:
    """Return an integer attribute. Raises StopIteration if the node does not have it."""
    return next(entry.i for entry in node.attribute if entry.name == name)


def fold_dequantisation(nodes: Sequence[NodeProto], weights: Weights) -> tuple[list[NodeProto], Weights]:
    """Compute each DequantizeLinear and Reshape of weights now, so that no session computes them when it starts.

    Returns the other nodes, and the weights with the computed tensors.
    Raises ValueError if another operation has only weights as inputs.
    """
    kept, folded = [], dict(weights)
    for node in nodes:
        if not all(name in folded for name in node.input):
            kept.append(node)
            continue
        inputs = [folded[name] for name in node.input]
        if node.op_type == "DequantizeLinear":
            folded[node.output[0]] = _dequantise(inputs, attribute(node, "axis"), attribute(node, "block_size"))
        elif node.op_type == "Reshape":
            folded[node.output[0]] = inputs[0].reshape(inputs[1])
        else:
            raise ValueError(f"expected a DequantizeLinear or a Reshape of weights, and found {node.op_type}")
    return kept, folded


def _dequantise(inputs: Sequence[NDArray[np.generic]], axis: int, block_size: int) -> NDArray[np.float32]:
    """Compute `(q - zero) * scale`. A block of `block_size` values along `axis` has one scale and zero (opset 21)."""
    quantised, scales, zeros = inputs
    size = quantised.shape[axis]
    scale = np.repeat(scales, block_size, axis).take(range(size), axis)
    zero = np.repeat(zeros, block_size, axis).take(range(size), axis)
    return (quantised.astype(np.float32) - zero.astype(np.float32)) * scale.astype(np.float32)


def lower_prelu(nodes: Sequence[NodeProto], weights: Weights) -> tuple[list[NodeProto], Weights]:
    """Replace `PRelu(x)` of feature maps by `Relu(x) + Conv1x1(-a, Relu(Conv1x1(-1, x)))` with depthwise convolutions.

    The results differ by at most 2e-7. ONNX Runtime's CPU provider can then keep its blocked memory layout, and SFace
    needs a third of the time for a face. A PRelu of dense features, with slopes of shape (c,), is not replaced, because
    dense features have no blocked layout.

    Returns the new nodes, and the weights with the weights of the new convolutions.
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


def allow_any_batch(nodes: Sequence[NodeProto], weights: Weights) -> Weights:
    """Change reshapes to [1, -1, k] into [0, -1, k]. In ONNX, 0 keeps the size of the input's axis.

    Returns the weights with the changed shapes.
    """
    shapes = {node.input[1] for node in nodes if node.op_type == "Reshape"} & weights.keys()
    of_one = {name: weights[name] for name in shapes if weights[name][0] == 1}
    return weights | {name: np.concatenate([[0], shape[1:]]).astype(np.int64) for name, shape in of_one.items()}


def pixels_to_float(name: str, output: str) -> list[NodeProto]:
    """Return the nodes that turn uint8 [n, h, w, 3] into float32 [n, 3, h, w]. The values stay in 0..255."""
    return [
        helper.make_node("Transpose", [name], [f"{name}_nchw"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", [f"{name}_nchw"], [output], to=TensorProto.FLOAT),
    ]


def scale_to_unit_length(features: str, output: str) -> tuple[list[NodeProto], Weights]:
    """Return the nodes that scale each row of float32 [n, d] to length 1, and their weights."""
    nodes = [
        helper.make_node("ReduceL2", [features, "feature_axis"], ["feature_norms"], keepdims=1),
        helper.make_node("Div", [features, "feature_norms"], [output]),
    ]
    return nodes, {"feature_axis": np.array([1], np.int64)}


def uint8_input(name: str, height: int | str, width: int | str) -> ValueInfoProto:
    """Return the declaration of an input of pixels, uint8 [n, height, width, 3]. A string stands for any size."""
    return helper.make_tensor_value_info(name, TensorProto.UINT8, ["n", height, width, 3])


def float_output(name: str, *shape: int | str) -> ValueInfoProto:
    """Return the declaration of an output, float32 [n, *shape]. A string stands for any size."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape])


def build(
    name: str,
    nodes: Sequence[NodeProto],
    weights: Weights,
    inputs: Sequence[ValueInfoProto],
    outputs: Sequence[ValueInfoProto],
) -> ModelProto:
    """Return a checked model. Its bytes depend only on its content. Weights that no node reads are left out."""
    read_names = sorted({name for node in nodes for name in node.input} & weights.keys())
    tensors = [numpy_helper.from_array(np.ascontiguousarray(weights[name]), name) for name in read_names]
    for number, node in enumerate(nodes):
        node.name = f"{node.op_type}_{number}"
    graph = helper.make_graph(list(nodes), name, list(inputs), list(outputs), tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    model.producer_name = "facenet-models"
    onnx.checker.check_model(model, full_check=True)
    return model
