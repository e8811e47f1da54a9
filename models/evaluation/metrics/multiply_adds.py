"""The multiply-adds of a model, counted in its ONNX graph. FaceNet, section 5.1, calls them FLOPS."""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto, numpy_helper

from models.errors import InvalidModel

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]
"""The shapes of the values of a graph, by name."""


def multiply_adds(path: Path) -> int:
    """Return the multiply-adds of one face.

    They are counted as in the paper's tables: the multiply-adds of convolutions and matrix products, and one more for
    each output value that has a bias. Pooling, normalisation and activations are left out. PReLU is the exception:
    `conversion/graph.py` replaces it by two convolutions, so it counts as two for each value.

    path: a model file that `conversion/card.py` has checked.
    Raises InvalidModel if a shape is not known.
    """
    model = onnx.load(path)
    try:
        shapes = _infer_shapes(model)
        return sum(COUNTERS[node.op_type](node, shapes) for node in _counted_nodes(model.graph))
    except (ValueError, KeyError, onnx.shape_inference.InferenceError) as error:
        raise InvalidModel(f"The multiply-adds of {path} cannot be counted: {error}.") from None


def _counted_nodes(graph: GraphProto) -> list[NodeProto]:
    """Return the convolutions and matrix products that the paper counts.

    The paper does not count normalisation. Local response normalisation sums the squares of neighbouring channels. In
    an exported graph this is a 1 x 1 convolution with a band of ones (`LocalResponseNorm` in
    `architectures/blocks.py`). So convolutions whose weights are only zeros and ones are left out. Trained weights are
    never only zeros and ones. Without this rule, NN1 would have 1,732 M multiply-adds instead of 1,608 M.
    """
    weights = {tensor.name: tensor for tensor in graph.initializer}
    return [node for node in graph.node if node.op_type in COUNTERS and not _only_adds(node, weights)]


def _only_adds(node: NodeProto, weights: Mapping[str, onnx.TensorProto]) -> bool:
    if node.op_type != "Conv" or node.input[1] not in weights:
        return False
    values = numpy_helper.to_array(weights[node.input[1]])
    return bool(np.all((values == 0) | (values == 1)))


def _infer_shapes(model: ModelProto) -> dict[str, Shape]:
    """Return the shape of each value of the graph, for one face. An unknown size is 0."""
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    values = {value.name: _shape(value) for value in (*graph.input, *graph.value_info, *graph.output)}
    return values | {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}


def _shape(value: ValueInfoProto) -> Shape:
    return tuple(size.dim_value for size in value.type.tensor_type.shape.dim)


def _count_numbers(name: str, shapes: Shapes) -> int:
    """Return how many numbers a value holds. Raises ValueError if its shape is not known."""
    count = math.prod(shapes[name])
    if not count:
        raise ValueError(f"the shape of {name} is not known")
    return count


def _count_convolution(node: NodeProto, shapes: Shapes) -> int:
    """Return the size of the output, times the weights of a filter (plus 1 if there is a bias)."""
    per_number = math.prod(shapes[node.input[1]][1:]) + (len(node.input) > 2)
    return _count_numbers(node.output[0], shapes) * per_number


def _count_matrix(node: NodeProto, shapes: Shapes) -> int:
    """Return the size of the output, times the length of a row of the left matrix (plus 1 if there is a bias)."""
    return _count_numbers(node.output[0], shapes) * (shapes[node.input[0]][-1] + (len(node.input) > 2))


COUNTERS = {"Conv": _count_convolution, "Gemm": _count_matrix, "MatMul": _count_matrix}
