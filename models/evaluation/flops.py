"""What a model costs, counted in its ONNX graph: the FLOPs of FaceNet's section 5.1, which are multiply-adds."""

import math
from collections.abc import Mapping
from pathlib import Path

import onnx
from onnx import ModelProto, NodeProto, ValueInfoProto

from models.errors import InvalidModel

Shape = tuple[int, ...]


def multiply_adds(path: Path) -> int:
    """Of one face. path: a file that `conversion/card.py` has checked. Raises InvalidModel where a shape is not known.

    As the paper's tables have them: convolutions and matrices, with their bias once for each number that comes out.
    Pooling, normalisation and activations are left out, but for those that are convolutions in the file: the lowered
    PReLU of `conversion/graph.py` counts 2 for each number it is applied to.
    """
    model = onnx.load(path)
    try:
        shapes = _shapes(model)
        return sum(COUNTS[node.op_type](node, shapes) for node in model.graph.node if node.op_type in COUNTS)
    except (ValueError, KeyError, onnx.shape_inference.InferenceError) as error:
        raise InvalidModel(f"The multiply-adds of {path} cannot be counted: {error}.") from None


def _shapes(model: ModelProto) -> dict[str, Shape]:
    """Of every value in the graph whose shape is known, for one face."""
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    values = {value.name: _shape(value) for value in (*graph.input, *graph.value_info, *graph.output)}
    return values | {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}


def _shape(value: ValueInfoProto) -> Shape:
    """0 for what is not known."""
    return tuple(size.dim_value for size in value.type.tensor_type.shape.dim)


def _size(name: str, shapes: Mapping[str, Shape]) -> int:
    """How many numbers a value holds. Raises ValueError where that is not known."""
    size = math.prod(shapes[name])
    if not size:
        raise ValueError(f"the shape of {name} is not known")
    return size


def _convolution(node: NodeProto, shapes: Mapping[str, Shape]) -> int:
    """Each number that comes out takes one for each weight of its filter, and one for its bias."""
    per_number = math.prod(shapes[node.input[1]][1:]) + (len(node.input) > 2)
    return _size(node.output[0], shapes) * per_number


def _matrix(node: NodeProto, shapes: Mapping[str, Shape]) -> int:
    """Each number that comes out takes one for each number of a row of the left matrix."""
    return _size(node.output[0], shapes) * (shapes[node.input[0]][-1] + (len(node.input) > 2))


COUNTS = {"Conv": _convolution, "Gemm": _matrix, "MatMul": _matrix}
