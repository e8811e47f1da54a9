"""A graph of float32 -> the same graph in float16: half the size, and what a GPU computes fastest.

From the first layer with weights to the last the numbers are halves; the pixels before and the unit length behind stay
float32.

On a processor ONNX Runtime computes halves in float32 and rounds none of them, so a file in float16 seems better there
than it is. `rounded` is the graph to measure: float32, and each number that a GPU keeps as a half made one on its way,
infinity beyond 65,504 included. (Sums within a layer are in float32 on both.)
"""

from collections.abc import Sequence

import numpy as np
from onnx import NodeProto, TensorProto, helper

from models.conversion import graph

LAYERS = {"Conv", "Gemm", "MatMul"}

_SUFFIX: dict[int, str] = {TensorProto.FLOAT: "float32", TensorProto.FLOAT16: "float16"}


def halved(nodes: Sequence[NodeProto], weights: graph.Weights) -> tuple[list[NodeProto], graph.Weights]:
    """The graph in float16. nodes: between the first layer and the last all values but weights are float32."""
    places = [number for number, node in enumerate(nodes) if node.op_type in LAYERS]
    converted = _Converted(weights)
    for number, node in enumerate(nodes):
        converted.add(node, TensorProto.FLOAT16 if places[0] <= number <= places[-1] else TensorProto.FLOAT)
    return converted.nodes, converted.weights


class _Converted:
    """The nodes so far, and the type that each of their values has."""

    def __init__(self, weights: graph.Weights) -> None:
        self.nodes: list[NodeProto] = []
        self.weights = dict(weights)
        self._types: dict[str, int] = {}

    def add(self, node: NodeProto, to: int) -> None:
        """The node, computing in the type `to`."""
        self.nodes.append(_with(node, [self._typed(name, to) for name in node.input], node.output))
        self._types |= dict.fromkeys(node.output, to)

    def _typed(self, name: str, to: int) -> str:
        """The value's name in this type: its own, that of a weight's half, or that of a cast. Integers stay."""
        typed = f"{name}_{_SUFFIX[to]}"
        weight = self.weights.get(name)
        if weight is not None:
            if to == TensorProto.FLOAT or weight.dtype != np.float32:
                return name
            with np.errstate(over="ignore"):  # a weight that becomes infinite shows when the file is measured
                self.weights[typed] = weight.astype(np.float16)
        elif self._types.get(name, to) == to:
            return name
        elif typed not in self._types:
            self.nodes.append(helper.make_node("Cast", [name], [typed], to=to))
            self._types[typed] = to
        return typed


def rounded(nodes: Sequence[NodeProto], weights: graph.Weights) -> tuple[list[NodeProto], graph.Weights]:
    """What `halved` gave, computed in float32 with the roundings of a GPU."""
    halves = {name for name, weight in weights.items() if weight.dtype == np.float16}
    found: list[NodeProto] = []
    for node in nodes:
        if node.op_type == "Cast" and not halves.isdisjoint(node.input):
            found.append(helper.make_node("Identity", node.input, node.output))
        elif halves.isdisjoint(node.input) and not _to_half(node):
            found.append(node)
        else:
            found += _rounding(node)
            halves |= set(node.output)
    return found, {name: one.astype(np.float32) if name in halves else one for name, one in weights.items()}


def _to_half(node: NodeProto) -> bool:
    return node.op_type == "Cast" and graph.attribute(node, "to") == TensorProto.FLOAT16


def _rounding(node: NodeProto) -> list[NodeProto]:
    """The node in float32, and each of its values as a half and back."""
    exact = [f"{name}_exact" for name in node.output]
    computed = helper.make_node("Identity", node.input, exact) if _to_half(node) else _with(node, node.input, exact)
    casts = [
        helper.make_node("Cast", [source], [target], to=to)
        for name in node.output
        for source, target, to in (
            (f"{name}_exact", f"{name}_half", TensorProto.FLOAT16),
            (f"{name}_half", name, TensorProto.FLOAT),
        )
    ]
    return [computed, *casts]


def _with(node: NodeProto, inputs: Sequence[str], outputs: Sequence[str]) -> NodeProto:
    """A copy between other values."""
    copy = NodeProto()
    copy.CopyFrom(node)
    copy.input[:], copy.output[:] = inputs, outputs
    return copy
