"""A graph in float32 -> the same graph in float16: half the size, and the fastest format on a GPU.

From the first layer with weights to the last one, all numbers are float16. The operations on pixels before these
layers, and the scaling to unit length after them, stay in float32.

On a CPU, ONNX Runtime computes a float16 graph in float32 and does not round. So the file would be measured as more
exact than it is on a GPU. `round_as_gpu` makes another graph, which is measured instead. It computes in float32, and
rounds each number that a GPU keeps in float16. A number above 65,504 becomes infinite, as on a GPU. On both devices,
the sums inside a layer are in float32.
"""

from collections.abc import Sequence

import numpy as np
from onnx import NodeProto, TensorProto, helper

from models.conversion import graph

LAYERS_WITH_WEIGHTS = {"Conv", "Gemm", "MatMul"}

_TYPE_NAMES: dict[int, str] = {TensorProto.FLOAT: "float32", TensorProto.FLOAT16: "float16"}


def to_float16(nodes: Sequence[NodeProto], weights: graph.Weights) -> tuple[list[NodeProto], graph.Weights]:
    """Return the graph in float16.

    nodes: in float32. From the first layer with weights to the last one, every value that is not a weight is float32.
    """
    layers = [place for place, node in enumerate(nodes) if node.op_type in LAYERS_WITH_WEIGHTS]
    converted = _ConvertedGraph(weights)
    for place, node in enumerate(nodes):
        converted.add(node, TensorProto.FLOAT16 if layers[0] <= place <= layers[-1] else TensorProto.FLOAT)
    return converted.nodes, converted.weights


class _ConvertedGraph:
    """The nodes that are already converted, and the type of each of their values."""

    def __init__(self, weights: graph.Weights) -> None:
        self.nodes: list[NodeProto] = []
        self.weights = dict(weights)
        self._types: dict[str, int] = {}

    def add(self, node: NodeProto, number_type: int) -> None:
        """Add a node that computes in `number_type`."""
        self.nodes.append(_rewired(node, [self._name_in(name, number_type) for name in node.input], node.output))
        self._types |= dict.fromkeys(node.output, number_type)

    def _name_in(self, name: str, number_type: int) -> str:
        """Return the name of the value in this type. If it does not exist, add a float16 weight or a cast.

        Integer weights keep their type.
        """
        converted_name = f"{name}_{_TYPE_NAMES[number_type]}"
        weight = self.weights.get(name)
        if weight is not None:
            if number_type == TensorProto.FLOAT or weight.dtype != np.float32:
                return name
            # A weight may become infinite here. Then the measurement refuses the model.
            with np.errstate(over="ignore"):
                self.weights[converted_name] = weight.astype(np.float16)
        elif self._types.get(name, number_type) == number_type:
            return name
        elif converted_name not in self._types:
            self.nodes.append(helper.make_node("Cast", [name], [converted_name], to=number_type))
            self._types[converted_name] = number_type
        return converted_name


def round_as_gpu(nodes: Sequence[NodeProto], weights: graph.Weights) -> tuple[list[NodeProto], graph.Weights]:
    """Return a float32 graph that rounds its numbers as a GPU rounds those of the float16 graph.

    nodes, weights: as `to_float16` returns them.
    """
    float16_names = {name for name, weight in weights.items() if weight.dtype == np.float16}
    rounded_nodes: list[NodeProto] = []
    for node in nodes:
        if node.op_type == "Cast" and not float16_names.isdisjoint(node.input):
            rounded_nodes.append(helper.make_node("Identity", node.input, node.output))
        elif float16_names.isdisjoint(node.input) and not _casts_to_float16(node):
            rounded_nodes.append(node)
        else:
            rounded_nodes += _round_outputs(node)
            float16_names |= set(node.output)
    rounded_weights = {
        name: weight.astype(np.float32) if name in float16_names else weight for name, weight in weights.items()
    }
    return rounded_nodes, rounded_weights


def _casts_to_float16(node: NodeProto) -> bool:
    return node.op_type == "Cast" and graph.attribute(node, "to") == TensorProto.FLOAT16


def _round_outputs(node: NodeProto) -> list[NodeProto]:
    """Return the node in float32. Each output is then cast to float16 and back."""
    exact = [f"{name}_exact" for name in node.output]
    if _casts_to_float16(node):
        computed = helper.make_node("Identity", node.input, exact)
    else:
        computed = _rewired(node, node.input, exact)
    casts = [
        helper.make_node("Cast", [source], [target], to=number_type)
        for name in node.output
        for source, target, number_type in (
            (f"{name}_exact", f"{name}_half", TensorProto.FLOAT16),
            (f"{name}_half", name, TensorProto.FLOAT),
        )
    ]
    return [computed, *casts]


def _rewired(node: NodeProto, inputs: Sequence[str], outputs: Sequence[str]) -> NodeProto:
    """Return a copy of the node with other inputs and outputs."""
    copy = NodeProto()
    copy.CopyFrom(node)
    copy.input[:], copy.output[:] = inputs, outputs
    return copy
